"""What this machine has: cores that the process may use, bfloat16, a GPU. Found without importing a large library."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def usable_cores(groups: Path = _GROUPS) -> int:
    """Cores by the process's affinity and the limits of its control group (containers), at least 1.

    Args:
        groups: where the control group's files are, version 2 or 1.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        allowed = os.cpu_count() or 1
    quota = _quota(groups)
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def _quota(groups: Path) -> float | None:
    """Cores' worth of time that the control group allows; None for no limit."""
    try:
        if (groups / "cpu.max").exists():
            limit, period = (groups / "cpu.max").read_text().split()
        else:
            limit = (groups / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (groups / "cpu" / "cpu.cfs_period_us").read_text()
        share = float(limit) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no number
        return None
    return share if share > 0 else None


_NATIVE_BFLOAT16 = {"amx_bf16", "avx512_bf16"}


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU multiplies bfloat16 itself, twice as fast as float32 or more; without that it is slower."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return False
    return any(_NATIVE_BFLOAT16 & set(line.split()) for line in lines if line.startswith("flags"))


_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What the drivers of NVIDIA and AMD put there, and Windows' subsystem for Linux for both."""


def may_have_gpu() -> bool:
    """Whether it is worth asking PyTorch, which takes a second to import, for a GPU."""
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32" / "nvcuda.dll").exists()
    return any(Path(driver).exists() for driver in _DRIVERS)
