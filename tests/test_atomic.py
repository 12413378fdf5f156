"""Files appear whole or not at all, and what a killed process leaves is told from what is being written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from undegrade import atomic
from undegrade.atomic import remove_leftovers, replacing

KILLED = """
import os, signal, sys
from pathlib import Path
from undegrade.atomic import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    with pytest.raises(ValueError, match="closed"), replacing(path) as file:
        file.close()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a")], check=False)
    assert done.returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".undegrade-")
    assert remove_leftovers(tmp_path) == 1
    assert not list(tmp_path.iterdir())


def test_what_is_being_written_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    others = [".undegrade-notes.part", ".0123456789abcdef.part", "undegrade-0123456789abcdef.part", "photo.part"]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".undegrade-0123456789abcdef.part").mkdir()
    (tmp_path / ".undegrade-0123456789abcde0.part").symlink_to("photo.part")
    with replacing(tmp_path / "a") as file:
        file.write(b"text")
        assert remove_leftovers(tmp_path) == 0
    assert (tmp_path / "a").read_bytes() == b"text"
    assert all((tmp_path / name).exists() for name in others)
    assert remove_leftovers(tmp_path / "nowhere") == 0


def test_what_another_machine_writes_stays_although_its_lock_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with replacing(tmp_path / "a") as file:
        file.write(b"text")
        monkeypatch.setattr("platform.node", lambda: "the other one")
        monkeypatch.setattr(atomic, "lock", lambda descriptor: True)  # each machine has locks of its own
        assert remove_leftovers(tmp_path) == 0
    assert (tmp_path / "a").read_bytes() == b"text"
    monkeypatch.undo()
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a")], check=False)
    monkeypatch.setattr("platform.node", lambda: "the other one")
    assert remove_leftovers(tmp_path) == 0
    (left,) = tmp_path.glob(".undegrade-*")
    os.utime(left, (1, 1))
    assert remove_leftovers(tmp_path) == 1


def test_where_nothing_can_be_locked_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "lock", lambda _: None)
    with replacing(tmp_path / "a") as file:
        file.write(b"text")
        assert remove_leftovers(tmp_path) == 0
    assert (tmp_path / "a").read_bytes() == b"text"


def test_losing_a_file_to_a_cleaner_before_it_is_locked_starts_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, calls = atomic.lock, []

    def late(descriptor: int) -> bool | None:
        calls.append(descriptor)
        if len(calls) == 1:  # the cleaner comes between creation and lock
            next(tmp_path.iterdir()).unlink()
        return lock(descriptor)

    monkeypatch.setattr(atomic, "lock", late)
    with replacing(tmp_path / "a") as file:
        file.write(b"text")
    assert len(calls) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"text"


def test_replacing_gives_ordinary_rights(tmp_path: Path) -> None:
    with replacing(tmp_path / "new") as file:
        file.write(b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
