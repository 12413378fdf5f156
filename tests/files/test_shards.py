"""Parts of a batch: each picture is in exactly one, on every machine the same."""

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from undegrade import UndegradeError
from undegrade.files.plan import plan
from undegrade.files.shards import Shard


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_the_parts_are_a_partition(count):
    names = [PurePosixPath(f"trip {i % 13}/é{i}.png") for i in range(500)]
    parts = [[name for name in names if Shard(i, count).holds(name)] for i in range(1, count + 1)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    if count == 7:
        assert all(40 < len(part) < 110 for part in parts)  # 71 on average, with a standard deviation of 8


def test_the_part_of_a_path_never_changes():
    # From sha256sum of the path, modulo 5; another hash would restore half of a batch twice and lose the rest.
    assert [Shard(i, 5).holds(PurePosixPath("a/b.png")) for i in range(1, 6)] == [True, False, False, False, False]
    for other in (PureWindowsPath("caf\u00e9\\b.png"), PurePosixPath("cafe\u0301/b.png")):
        assert [Shard(i, 97).holds(other) for i in range(1, 98)] == [
            Shard(i, 97).holds(PurePosixPath("caf\u00e9/b.png")) for i in range(1, 98)
        ]
    assert sum(Shard(i, 3).holds(PurePosixPath(os.fsdecode(b"\xff.png"))) for i in (1, 2, 3)) == 1


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "", "1", "1/4/2", "-1/4", "a/b", "1.0/2", "١/٢"])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(UndegradeError, match=r"^--shard .*(1/4|number them from 1).*\.$"):
        Shard.parse(text)
    assert Shard.parse("3/4") == Shard(3, 4)


def test_a_plan_in_parts_is_the_whole_plan_wherever_the_folder_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for root in ("p", "elsewhere/q"):
        for i in range(30):
            path = Path(root, "deep" if i % 3 else "", f"{i}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    whole = plan([Path("p")], Path("out"))
    parts = [plan([Path("p")], Path("out"), shard=Shard(i, 4)) for i in (1, 2, 3, 4)]
    moved = [plan([Path("elsewhere/q").absolute()], Path("out"), shard=Shard(i, 4)) for i in (1, 2, 3, 4)]
    assert sorted(j.source for part in parts for j in part.jobs) == sorted(j.source for j in whole.jobs)
    assert [len(part.jobs) + part.others for part in parts] == [30] * 4
    for part, other in zip(parts, moved, strict=True):
        assert [j.output for j in part.jobs] == [j.output for j in other.jobs]
    with pytest.raises(UndegradeError, match="--shard divides a folder"):
        plan([Path("p/0.png")], Path("a.png"), shard=Shard(1, 2))


def test_results_of_two_parts_must_not_be_one_file(tmp_path):
    """Also where each part alone has no fault."""
    from undegrade.files.plan import Naming

    for name in ("a.png", "a.jpg"):
        (tmp_path / name).touch()
    for i in range(1, 9):
        with pytest.raises(UndegradeError, match="would both be written"):
            plan([tmp_path], tmp_path / "out", Naming("{stem}.png"), shard=Shard(i, 8))
