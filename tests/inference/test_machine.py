"""What the machine has, read from files like those of containers and CPUs."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from undegrade.inference.machine import cpu_name, has_vnni, multiplies_bfloat16, usable_cores


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("max 100000", 8), ("400000 100000", 4), ("150000 100000", 1), ("50000 100000", 1), ("nonsense", 8)],
)
def test_cores_of_a_container(limit: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    own = tmp_path / "own"
    assert usable_cores(tmp_path, own) == 8
    (tmp_path / "cpu.max").write_text(limit + "\n")
    assert usable_cores(tmp_path, own) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("300000", 3)])
def test_cores_of_an_older_container(quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cores(tmp_path, tmp_path / "own") == cores


@pytest.mark.parametrize(
    ("line", "folder", "name"),
    [("0::/system.slice/a.service\n", "", "cpu.max"), ("1:cpu,cpuacct:/system.slice/a.service\n", "cpu", "")],
)
@pytest.mark.parametrize("limited", ["system.slice", "system.slice/a.service"])
def test_cores_of_a_service_by_its_group_and_those_around_it(
    line: str, folder: str, name: str, limited: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of a container the limit is not in the topmost folder."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    own, group = tmp_path / "own", tmp_path / folder / limited
    own.write_text("4:memory:/other\n" + line)
    group.mkdir(parents=True)
    if name:
        (group / name).write_text("300000 100000\n")
    else:
        (group / "cpu.cfs_quota_us").write_text("300000")
        (group / "cpu.cfs_period_us").write_text("100000")
    assert usable_cores(tmp_path, own) == 3


def test_fewer_cores_by_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3}, raising=False)
    (tmp_path / "cpu.max").write_text("400000 100000")
    assert usable_cores(tmp_path, tmp_path / "own") == 1


def test_bfloat16_by_the_flags_of_the_cpu(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    assert not multiplies_bfloat16(info)
    info.write_text("model name : x amx_bf16\nflags : fpu avx2 fma\n")
    assert not multiplies_bfloat16(info)
    info.write_text("flags : fpu avx2 fma\nflags : fpu avx512f amx_bf16\n")
    assert multiplies_bfloat16(info)


def test_vnni_by_the_flags_of_the_cpu(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    assert not has_vnni(info)
    info.write_text("flags : fpu avx2 avx512f avx512_bf16\n")
    assert not has_vnni(info)
    for flag in ("avx_vnni", "avx512_vnni"):
        info.write_text(f"flags : fpu avx2 {flag}\n")
        assert has_vnni(info)


def test_the_processor_has_a_name_with_and_without_that_file(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    assert cpu_name(info)
    info.write_text("processor\t: 0\nmodel name\t: A: B\nmodel name\t: C\n")
    assert cpu_name(info) == "A: B"


_KEPT = """
import resource, sys
import numpy as np
from undegrade.inference.machine import give_large_arrays_back

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

if sys.argv[1] == "back":
    give_large_arrays_back()
before = resident()
for _ in range(2):  # from the second one on glibc takes such arrays from what it keeps
    np.ones(20_000_000, np.uint8)
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's")
def test_large_arrays_are_given_back() -> None:
    ran = [
        int(subprocess.run([sys.executable, "-c", _KEPT, how], capture_output=True, text=True, check=True).stdout)
        for how in ("keep", "back")
    ]
    assert ran[0] > 15e6 > 5e6 > ran[1]
