"""Small C++ sources beside this file, compiled for this machine's CPU at their first use.

The library is kept in a cache folder and serves until source, compiler or CPU change. Where the compiler is gone, as in
an image that was built with one, it serves on. Where there is neither, the caller goes on with what ONNX Runtime or
torch do.

    convolution     convolutions of arrays
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import secrets
import shutil
import subprocess
import threading
import time
from contextlib import suppress
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


_LOCK = threading.Lock()
_FOUND: dict[str, ctypes.CDLL | NotCompiled] = {}


def library(name: str) -> ctypes.CDLL:
    """The compiled ``<name>.cpp`` of this folder. What is found, or is not, holds until the process ends.

    Raises:
        NotCompiled: there is no compiler, it fails, or what it made cannot be loaded.
    """
    with _LOCK:
        if name not in _FOUND:
            try:
                _FOUND[name] = _library(name)
            except NotCompiled as error:
                _FOUND[name] = error
        found = _FOUND[name]
    if isinstance(found, NotCompiled):
        raise NotCompiled(str(found))
    return found


def forget() -> None:
    """Look for compiler and libraries again."""
    _FOUND.clear()


def _library(name: str) -> ctypes.CDLL:
    source = Path(__file__).parent / f"{name}.cpp"
    sources = [file.read_text() for file in sorted(source.parent.iterdir()) if file.suffix in (".cpp", ".h")]
    flags = (*FLAGS, *MORE_FLAGS.get(name, ()))
    folder, stem = cache_folder() / "native", f"{name}-{_short_hash(*sources, *flags, platform.machine(), _cpu())}"
    try:
        compiler = _compiler()
    except NotCompiled:
        built = next(filter(_is_whole, sorted(folder.glob(f"{stem}-*.so"))), None)
        if built is None:
            raise
    else:
        built = folder / f"{stem}-{_short_hash(compiler, _run([compiler, '--version']), platform.platform())}.so"
    try:
        if not _is_whole(built):
            _build(compiler, flags, source, built)
        return ctypes.CDLL(str(built))
    except OSError as error:
        raise NotCompiled(f"{built} cannot be written or loaded ({error}); set UNDEGRADE_CACHE.") from error


def _short_hash(*facts: str) -> str:
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]


def _is_whole(built: Path) -> bool:
    """Whether a library is there as it was written: of a cut one the process would die."""
    try:
        return hashlib.sha256(built.read_bytes()).hexdigest() == _digest_of(built).read_text()
    except (OSError, UnicodeDecodeError):
        return False


def _digest_of(built: Path) -> Path:
    return built.with_suffix(".sha256")


def _compiler() -> str:
    for name in (os.environ.get("CXX", ""), "g++", "clang++", "c++"):
        if name and (found := shutil.which(name)):
            return found
    raise NotCompiled("there is no C++ compiler; install g++ for more speed.")


def _build(compiler: str, flags: tuple[str, ...], source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _tidy(target.parent)
    # A name of its own: several processes, and those of other machines, may build at once. Made before the compiler
    # runs, which would take seconds to find that the folder cannot be written. Not tempfile: its files are private, and
    # others may use the cache.
    draft = target.with_name(f"{target.stem}.{secrets.token_hex(8)}.tmp")
    draft.touch(exist_ok=False)
    try:
        _run([compiler, *flags, str(source), "-o", str(draft)])
        made = draft.read_bytes()
        if not made:
            raise NotCompiled(f"{compiler} made nothing.")
        draft.replace(target)
        with replacing(_digest_of(target)) as file:
            file.write(hashlib.sha256(made).hexdigest().encode())
    finally:
        draft.unlink(missing_ok=True)


_HOUR = 3600.0
_MONTHS = 2400 * _HOUR


def _tidy(folder: Path) -> None:
    """Remove what killed processes left, and libraries of old sources."""
    now = time.time()
    for file in folder.iterdir():
        with suppress(OSError):  # another process was first, or it is another user's
            if now - file.stat().st_mtime > (_HOUR if file.suffix == ".tmp" else _MONTHS):
                file.unlink()


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=True, timeout=120
        )
    except subprocess.CalledProcessError as error:
        lines = (error.stderr.strip() or "no message").splitlines()
        cause = next((line for line in lines if re.search("error:|fatal|failed", line)), lines[-1])
        raise NotCompiled(f"{command[0]} failed ({cause}).") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotCompiled(f"{command[0]} failed ({error}).") from error
    return done.stdout


def _cpu() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
