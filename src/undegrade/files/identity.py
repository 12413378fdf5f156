"""Which paths are one file: links, other spellings, names that differ only in case."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

Identity = tuple[int, int] | str
"""Equal for all names of one file: device and inode, or the path if the file does not exist."""


def identity(path: Path) -> Identity:
    """Equal for all names of a file: for links to it, and for other spellings if the file system accepts them."""
    # new/../a.png does not exist yet, but will be a.png as soon as the folder new is created.
    return _on_disk(path) or _on_disk(Path(resolved(path))) or resolved(path)


def resolved(path: Path) -> str:
    """The path with links in its folders resolved. A link in the last part stays, because writing replaces the link."""
    # Not Path.resolve, which raises if links form a loop.
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118


def _on_disk(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def is_folder(path: Path) -> bool:
    """Whether it is a folder; False where that cannot be found out."""
    try:
        return path.is_dir()
    except OSError:  # reading the file reports the reason
        return False


def ignores_case(folder: Path) -> bool:
    """Whether names that differ only in upper and lower case are the same file in this folder."""
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        with tempfile.NamedTemporaryFile(prefix=".undegrade-case-", dir=folder) as file:
            name = Path(file.name)
            return name.with_name(name.name.upper()).exists()
    except OSError:
        return False
