"""Small C++ sources beside this file, compiled for this machine's CPU at their first use.

The library is kept in a cache folder and serves until source, compiler or CPU change. Without a compiler there is
none, and the caller goes on with what ONNX Runtime or torch do.

    convolution     convolutions of arrays
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

from undegrade.atomic import replacing
from undegrade.errors import UndegradeError

FLAGS = ("-O3", "-march=native", "-pthread", "-shared", "-fPIC", "-w")
MORE_FLAGS = {"amx": ("-fopenmp",)}
"""Of single sources."""


class NotCompiled(UndegradeError):
    """There is no compiler, or it refused; all works without, only slower."""


def cache_folder() -> Path:
    """``UNDEGRADE_CACHE``, or the user's cache folder.

    Raises:
        NotCompiled: the user has none.
    """
    given = os.environ.get("UNDEGRADE_CACHE")
    try:
        return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "undegrade"
    except RuntimeError as error:
        raise NotCompiled("there is no home folder; set UNDEGRADE_CACHE to a folder for what is compiled.") from error


@cache
def library(name: str) -> ctypes.CDLL:
    """The compiled ``<name>.cpp`` of this folder.

    Raises:
        NotCompiled: there is no compiler, it fails, or what it made cannot be loaded.
    """
    source = Path(__file__).parent / f"{name}.cpp"
    compiler = _compiler()
    version = _run([compiler, "--version"])
    sources = [file.read_text() for file in sorted(source.parent.iterdir()) if file.suffix in (".cpp", ".h")]
    flags = (*FLAGS, *MORE_FLAGS.get(name, ()))
    facts = "\0".join((*sources, *flags, compiler, version, platform.platform(), _cpu()))
    built = cache_folder() / "native" / f"{name}-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.so"
    try:
        if not built.exists():
            _build(compiler, flags, source, built)
        return ctypes.CDLL(str(built))
    except OSError as error:
        raise NotCompiled(f"{built} cannot be written or loaded ({error}); set UNDEGRADE_CACHE.") from error


def _compiler() -> str:
    for name in (os.environ.get("CXX", ""), "g++", "clang++", "c++"):
        if name and (found := shutil.which(name)):
            return found
    raise NotCompiled("there is no C++ compiler; install g++ for more speed.")


def _build(compiler: str, flags: tuple[str, ...], source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(f".{os.getpid()}.tmp")
    try:
        _run([compiler, *flags, str(source), "-o", str(draft)])
        with replacing(target) as file:  # several trainings may start at once
            file.write(draft.read_bytes())
    finally:
        draft.unlink(missing_ok=True)


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or "no message").splitlines()[-1]
        raise NotCompiled(f"{command[0]} failed ({last}); all goes on without it, more slowly.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotCompiled(f"{command[0]} failed ({error}); all goes on without it, more slowly.") from error


def _cpu() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
