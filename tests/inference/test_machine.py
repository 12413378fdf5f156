"""What the machine has, read from files like those of containers and CPUs."""

import os
from pathlib import Path

import pytest

from undegrade.inference.machine import multiplies_bfloat16, usable_cores


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("max 100000", 8), ("400000 100000", 4), ("150000 100000", 1), ("50000 100000", 1), ("nonsense", 8)],
)
def test_cores_of_a_container(limit: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert usable_cores(tmp_path) == 8
    (tmp_path / "cpu.max").write_text(limit + "\n")
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("300000", 3)])
def test_cores_of_an_older_container(quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cores(tmp_path) == cores


def test_fewer_cores_by_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3}, raising=False)
    (tmp_path / "cpu.max").write_text("400000 100000")
    assert usable_cores(tmp_path) == 1


def test_bfloat16_by_the_flags_of_the_cpu(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    assert not multiplies_bfloat16(info)
    info.write_text("model name : x amx_bf16\nflags : fpu avx2 fma\n")
    assert not multiplies_bfloat16(info)
    info.write_text("flags : fpu avx2 fma\nflags : fpu avx512f amx_bf16\n")
    assert multiplies_bfloat16(info)
