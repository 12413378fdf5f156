"""What this machine has: cores that the process may use, bfloat16, a GPU. Found without importing a large library."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def usable_cores(groups: Path = _GROUPS, own: Path = _OWN) -> int:
    """Cores by the process's affinity and the limits of its control groups (containers, services), at least 1.

    Args:
        groups: where the control groups' files are, version 2 or 1.
        own: the file that says which groups are the process's.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        allowed = os.cpu_count() or 1
    quotas = [quota for folder in _folders(groups, own) if (quota := _quota(folder)) is not None]
    return max(1, min([allowed, *map(int, quotas)]))


def _folders(groups: Path, own: Path) -> list[Path]:
    """The folders of the process's control groups and of all that they are in: the smallest limit of them holds."""
    found = {groups, groups / "cpu"}
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "" or "cpu" in controllers.split(","):
            top = groups / "cpu" if controllers else groups
            inner = Path(path.lstrip("/"))
            if ".." not in inner.parts:  # a group outside of the container, which cannot be seen
                found |= {top / inner, *(top / outer for outer in inner.parents)}
    return sorted(found)


def _quota(folder: Path) -> float | None:
    """Cores' worth of time that a control group allows; None for no limit."""
    try:
        if (folder / "cpu.max").exists():
            limit, period = (folder / "cpu.max").read_text().split()
        else:
            limit = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        share = float(limit) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no number
        return None
    return share if share > 0 else None


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor as the system names it."""
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


_NATIVE_BFLOAT16 = {"amx_bf16", "avx512_bf16"}


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU multiplies bfloat16 itself, twice as fast as float32 or more; without that it is slower."""
    return _has(_NATIVE_BFLOAT16, cpuinfo)


_INT8 = {"avx2"}


def multiplies_int8(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether int8 is known to be the faster way on this CPU: measured on x86 with AVX2 and with VNNI."""
    return _has(_INT8, cpuinfo)


_VNNI = {"avx512_vnni", "avx_vnni"}


def has_vnni(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU adds four products of int8 at once, by the system's file."""
    return _has(_VNNI, cpuinfo)


def _has(features: set[str], cpuinfo: Path) -> bool:
    """Whether the CPU has one of these, by the system's file."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return False
    return any(features & set(line.split()) for line in lines if line.startswith("flags"))


_MMAP_THRESHOLD, _LARGE = -3, 2**20


def give_large_arrays_back() -> None:
    """Have glibc give the memory of large arrays back to the system as soon as they are freed.

    It would keep what was once taken for arrays of up to 32 MB, as those of a window are. This holds for
    the whole process: it is for commands, not for who uses the package in a program.
    """
    with suppress(OSError, AttributeError, TypeError):  # another system, or another library of C
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


def keep_numpy_to_one_thread() -> None:
    """Have the library behind NumPy's products start no threads; of use before NumPy is imported.

    Its threads wait busily, and what is multiplied with NumPy here is small (docs/performance.md). A number of threads
    that the user has set stays. This holds for the whole process and for those that it starts: it is for commands, not
    for who uses the package in a program.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What the drivers of NVIDIA and AMD put there, and Windows' subsystem for Linux for both."""


def may_have_gpu() -> bool:
    """Whether it is worth asking PyTorch, which takes a second to import, for a GPU."""
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32" / "nvcuda.dll").exists()
    return any(Path(driver).exists() for driver in _DRIVERS)
