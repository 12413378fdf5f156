"""Two runs on one folder: a result is claimed by one of them, and the claim of a dead process by another."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from undegrade.atomic import remove_own
from undegrade.files import claims
from undegrade.files.claims import claim, claim_path

HOLD = """
import sys, time
from pathlib import Path
from undegrade.files.claims import claim
with claim(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path):
    """Starts processes that hold a claim for some seconds, and ends them."""
    processes = []

    def start(output, seconds=60.0):
        source = str(Path(claims.__file__).parents[2])
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(output), str(seconds)],
            stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": source},
        )  # fmt: skip
        processes.append(process)
        return process, process.stdout.readline().strip() == "True"

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_only_one_has_it_and_nothing_is_left(tmp_path, holder):
    output = tmp_path / "a.png"
    process, mine = holder(output)
    assert mine
    with claim(output) as also_mine:
        assert not also_mine
    with claim(tmp_path / "b.png") as other:
        assert other
    assert [p.name for p in tmp_path.iterdir()] == [".a.png.undegrade-claim"]
    process.terminate()


def test_the_claim_of_a_killed_process_is_taken_over(tmp_path, holder):
    output = tmp_path / "a.png"
    process, _ = holder(output)
    process.kill()
    process.wait()
    assert claim_path(output).exists()
    with claim(output) as mine:
        assert mine
        assert not holder(output)[1]
    assert not list(tmp_path.iterdir())


def test_without_locks_the_age_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "lock", lambda descriptor: None)
    monkeypatch.setattr(claims, "RENEW", 0.01)
    output = tmp_path / "a.png"
    with claim(output) as mine, claim(output) as other:
        assert (mine, other) == (True, False)
        os.utime(claim_path(output), (1, 1))
        deadline = time.time() + 10
        while claim_path(output).stat().st_mtime == 1 and time.time() < deadline:  # it is renewed
            time.sleep(0.01)
        assert time.time() - claim_path(output).stat().st_mtime < claims.OLD
    claim_path(output).touch()
    os.utime(claim_path(output), (1, 1))
    with claim(output) as taken_over:
        assert taken_over
    assert not list(tmp_path.iterdir())


def test_many_processes_never_hold_the_same_claim(tmp_path):
    script = """
import os, sys
from pathlib import Path
from undegrade.files.claims import claim
output, log = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(150):
    with claim(output) as mine:
        if mine:
            held = os.open(log.with_suffix('.held'), os.O_CREAT | os.O_EXCL)  # fails where two are inside
            os.close(held)
            log.with_suffix('.held').unlink()
print('fine')
"""
    source = str(Path(claims.__file__).parents[2])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "a.png"), str(tmp_path / "log")],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": source},
        )
        for _ in range(4)
    ]
    assert [p.communicate(timeout=120)[0].strip() for p in processes] == ["fine"] * 4
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_says_so_later(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with claim(tmp_path / "file" / "a.png") as mine:
        assert mine


def test_the_folder_is_made_and_an_empty_one_is_not_left(tmp_path):
    output = tmp_path / "new" / "deep" / "a.png"
    with claim(output) as mine:
        assert mine
        assert claim_path(output).exists()
    assert not list(tmp_path.iterdir())
    with claim(output):
        output.write_text("a result")
    assert [p.name for p in output.parent.iterdir()] == ["a.png"]


def test_dead_claims_are_removed_and_live_ones_and_other_files_stay(tmp_path, holder):
    process, _ = holder(tmp_path / "dead.png")
    process.kill()
    process.wait()
    holder(tmp_path / "live.png")
    (tmp_path / ".notes.claim").write_text("somebody else's")
    (tmp_path / ".a.undegrade-claim").mkdir()
    assert claims.remove_dead(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        ".a.undegrade-claim", ".live.png.undegrade-claim", ".notes.claim",
    ]  # fmt: skip
    assert claims.remove_dead(tmp_path / "absent") == 0


def test_without_locks_only_old_claims_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "lock", lambda descriptor: None)
    young, old = claim_path(tmp_path / "young.png"), claim_path(tmp_path / "old.png")
    young.touch()
    old.touch()
    os.utime(old, (1, 1))
    assert claims.remove_dead(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [young]


def test_a_sudden_end_leaves_no_claim_of_this_process_and_keeps_those_of_others(tmp_path, holder):
    holder(tmp_path / "b.png")
    with claim(tmp_path / "a.png"), claim(tmp_path / "b.png") as other:
        assert not other
        remove_own()
        assert list(tmp_path.iterdir()) == [claim_path(tmp_path / "b.png")]


@pytest.mark.parametrize("name", ["x" * 250 + ".png", "é" * 125, "\udcff.png"])
def test_long_and_odd_names(tmp_path, name):
    with claim(tmp_path / name) as mine:
        assert mine
        assert len(list(tmp_path.iterdir())) == 1


def test_two_long_names_with_the_same_beginning_have_claims_of_their_own(tmp_path):
    with claim(tmp_path / ("x" * 240 + "1.png")) as one, claim(tmp_path / ("x" * 240 + "2.png")) as other:
        assert one
        assert other
    assert claim_path(Path("x" * 200)).name == f".{'x' * 200}.undegrade-claim"


@pytest.mark.parametrize("skew", [-10_000, 10_000])
def test_without_locks_the_clock_of_the_file_system_counts(tmp_path, monkeypatch, skew):
    monkeypatch.setattr(claims, "lock", lambda descriptor: None)
    there = time.time
    monkeypatch.setattr("time.time", lambda: there() + skew)
    young, old = claim_path(tmp_path / "young.png"), claim_path(tmp_path / "old.png")
    young.touch()
    old.touch()
    os.utime(old, (there() - 1000, there() - 1000))
    with claim(tmp_path / "young.png") as mine, claim(tmp_path / "old.png") as taken_over:
        assert (mine, taken_over) == (False, True)
    assert [p.name for p in tmp_path.iterdir()] == [young.name]


def test_without_locks_a_claim_that_was_taken_over_is_not_removed_by_its_first_owner(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "lock", lambda descriptor: None)
    output = tmp_path / "a.png"
    with claim(output) as mine:
        assert mine
        os.utime(claim_path(output), (1, 1))  # as of a machine that slept
        second = claim(output)
        assert second.__enter__()
    assert claim_path(output).exists()
    second.__exit__(None, None, None)
    assert not list(tmp_path.iterdir())


def test_a_new_claim_that_another_run_looks_at_for_a_moment_is_kept(tmp_path, monkeypatch):
    """Who removes dead claims locks each first; one that is not locked yet looks dead."""
    real, held = claims.lock, []

    def lock_late(descriptor):
        monkeypatch.setattr(claims, "lock", lambda again: (held and os.close(held.pop())) or real(again))
        held.append(os.open(claim_path(tmp_path / "a.png"), os.O_RDWR))
        assert real(held[0])
        return real(descriptor)

    monkeypatch.setattr(claims, "lock", lock_late)
    with claim(tmp_path / "a.png") as mine:
        assert mine


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_a_locked_claim_is_renewed_for_those_who_cannot_see_its_lock(tmp_path, monkeypatch):
    """As on NFS, which locks only what may be written: the claim of another user is none."""
    monkeypatch.setattr(claims, "RENEW", 0.01)
    output = tmp_path / "a.png"
    with claim(output) as mine:
        assert mine
        os.utime(claim_path(output), (1, 1))
        deadline = time.time() + 10
        while claim_path(output).stat().st_mtime == 1 and time.time() < deadline:
            time.sleep(0.01)
        monkeypatch.setattr(claims, "lock", lambda descriptor: None)
        with claim(output) as other:
            assert not other
        assert claims.remove_dead(tmp_path) == 0


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_a_claim_without_a_lock_counts_until_it_is_old_also_for_those_who_have_locks(tmp_path, monkeypatch):
    """One machine has mounted the folder with locks, the other without."""
    real = claims.lock
    output = tmp_path / "a.png"
    monkeypatch.setattr(claims, "lock", lambda descriptor: None)
    with claim(output) as mine:
        monkeypatch.setattr(claims, "lock", real)
        assert mine
        with claim(output) as other:
            assert not other
        assert claims.remove_dead(tmp_path) == 0
        os.utime(claim_path(output), (1, 1))  # as of a machine that has died
        with claim(output) as taken_over:
            assert taken_over
            monkeypatch.setattr(claims, "lock", lambda descriptor: None)
            with claim(output) as third:
                assert not third
            monkeypatch.setattr(claims, "lock", real)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_a_claim_that_a_network_file_system_knows_of_no_more_is_looked_at_again(tmp_path, monkeypatch, holder):
    output = tmp_path / "a.png"
    holder(output)
    real, failures = claims._opened, [errno.ESTALE]

    def opened(path):
        if failures:
            raise OSError(failures.pop(), "Stale file handle")
        return real(path)

    monkeypatch.setattr(claims, "_opened", opened)
    with claim(output) as mine:
        assert not mine
    assert not failures


def test_a_new_claim_that_is_gone_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    output = tmp_path / "a.png"
    tries = []

    def gone_at_first(descriptor):
        tries.append(descriptor)
        if len(tries) == 1:
            claim_path(output).unlink()

    monkeypatch.setattr(claims, "lock", gone_at_first)
    with claim(output) as mine:
        assert mine
        assert claim_path(output).exists()
        with claim(output) as other:
            assert not other


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_claim_of_another_user_counts(tmp_path, monkeypatch, holder):
    output = tmp_path / "a.png"
    process, _ = holder(output)
    real = os.open

    def refuse_writing(path, flags, *mode):
        if str(path).endswith("claim") and flags & os.O_RDWR and not flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse_writing)
    with claim(output) as mine:
        assert not mine
    process.kill()
    process.wait()
    with claim(output) as mine:
        assert mine
    assert not list(tmp_path.iterdir())
    claim_path(output).touch()
    monkeypatch.setattr(claims, "_opened", lambda path: refuse_writing(path, os.O_RDWR))
    with claim(output) as mine:  # it may not even be read
        assert not mine


def test_no_time_is_set_by_an_open_file(tmp_path, monkeypatch):
    """Windows cannot."""
    real = os.utime

    def refuse(path, *times):
        assert not isinstance(path, int)
        real(path, *times)

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(claims, "RENEW", 0.001)
    for locks in (claims.lock, lambda descriptor: None):
        monkeypatch.setattr(claims, "lock", locks)
        with claim(tmp_path / "a.png") as mine:
            assert mine
            time.sleep(0.05)
