"""Folders by address: on a disk, or in an object store by way of fsspec."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from undegrade.atomic import remove_leftovers, replacing
from undegrade.errors import UndegradeError

WHOLE = frozenset(["s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"])
"""Stores in which an object appears whole or not at all."""
_DISK = "file"


@dataclass(frozen=True)
class Entry:
    """A file or folder in a folder: its name, and the bytes of a file if the store says them."""

    name: str
    is_folder: bool
    size: int | None = None


@dataclass(frozen=True)
class Place:
    """A folder by address. It can be sent to another machine, where the address means the same for object stores.

    Attributes:
        url: as the user gave it.
        fs: fsspec's file system.
        root: the folder's path in it.
    """

    url: str
    fs: Any
    root: str

    @classmethod
    def of(cls, url: str) -> Place:
        """The folder at an address or path; a path is taken from this process's current folder.

        Raises:
            UndegradeError: fsspec, or what it needs for this kind of store, is not installed.
        """
        if find_spec("fsspec") is None:
            raise UndegradeError("--ray needs Ray and fsspec; install them with: pip install 'undegrade[ray]'.")
        from fsspec.core import url_to_fs

        try:
            fs, root = url_to_fs(url)
        except ImportError as error:
            raise UndegradeError(
                f"{url}: the package for this kind of store is not installed ({first_line(error)}); that of s3:// "
                "comes with: pip install 'undegrade[ray]'."
            ) from error
        except ValueError as error:
            raise UndegradeError(f"{url}: there is no access to this kind of store ({first_line(error)}).") from error
        return cls(url, fs, str(root).rstrip("/"))

    @property
    def is_on_disk(self) -> bool:
        """Whether it is a folder of the system."""
        return _DISK in self._protocols

    @property
    def can_take_results(self) -> bool:
        """Whether a file that is put here appears whole or not at all."""
        return self.is_on_disk or bool(self._protocols & WHOLE)

    @property
    def _protocols(self) -> frozenset[str]:
        protocol = self.fs.protocol
        return frozenset([protocol] if isinstance(protocol, str) else protocol)

    def path(self, relative: str) -> str:
        """Of a file or folder below, in the file system; ``""`` is the folder itself."""
        return f"{self.root}/{relative}" if relative else self.root or "/"

    def shown(self, relative: str) -> str:
        """The same for people."""
        return f"{self.url.rstrip('/')}/{relative}" if relative else self.url

    def above(self) -> tuple[Place, str]:
        """The folder above, and the name of this one (or this file) in it."""
        url, _, name = self.url.rstrip("/").rpartition("/")
        root, _, own = self.root.rpartition("/")
        return Place(url or ("." if name == self.url else "/"), self.fs, root), own

    def is_file(self) -> bool:
        """Whether there is a file of this name, not a folder.

        Raises:
            FileNotFoundError: there is neither.
            OSError: or an error of the store's library: it cannot be looked at.
        """
        return bool(self.fs.info(self.path(""))["type"] == "file")

    def list(self, relative: str = "") -> list[Entry]:
        """What is in a folder below, by name; links to folders are left out.

        Raises:
            FileNotFoundError: there is no such folder.
            OSError: or an error of the store's library: it cannot be listed.
        """
        entries = []
        for found in self.fs.ls(self.path(relative), detail=True):
            path = str(found["name"])
            if path.endswith("/") and found["type"] == "file":  # an object that stands for the folder itself
                continue
            is_file = found["type"] == "file" or bool(found.get("islink") and self.fs.isfile(path))
            if is_file or found["type"] == "directory":
                name = path.rstrip("/").rpartition("/")[2]
                entries.append(Entry(name, not is_file, found.get("size") if is_file else None))
        self.fs.invalidate_cache()  # else every folder that was listed stays in memory
        return sorted(entries, key=lambda entry: entry.name)

    def get(self, relative: str, file: Path) -> None:
        """Copy a file to this machine.

        Raises:
            OSError: or an error of the store's library: it is not there, or cannot be read.
        """
        self.fs.get_file(self.path(relative), str(file))

    def put(self, file: Path, relative: str) -> None:
        """Copy a file from this machine; it appears whole or not at all.

        Raises:
            OSError: or an error of the store's library: it cannot be written.
        """
        if not self.is_on_disk:
            self.fs.put_file(str(file), self.path(relative))
            return
        target = Path(self.path(relative))
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as source, replacing(target) as copy:
            shutil.copyfileobj(source, copy, 1 << 20)

    def remove(self, relative: str) -> None:
        """Remove a file, if it is there.

        Raises:
            OSError: or an error of the store's library: it cannot be removed.
        """
        with suppress(FileNotFoundError):
            self.fs.rm_file(self.path(relative))

    def put_bytes(self, content: bytes, relative: str) -> None:
        """Write a small file; it appears whole or not at all.

        Raises:
            OSError: or an error of the store's library: it cannot be written.
        """
        if not self.is_on_disk:
            self.fs.pipe_file(self.path(relative), content)
            return
        target = Path(self.path(relative))
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as file:
            file.write(content)

    def clean(self, relative: str) -> None:
        """Remove the temporary files that killed processes left in a folder below; a store has none."""
        if self.is_on_disk:
            remove_leftovers(Path(self.path(relative)))

    def holds(self, other: Place) -> bool:
        """Whether another folder is this one or lies below it."""
        return bool(self.fs == other.fs) and f"{other.root}/".startswith(f"{self.root}/")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, for a message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
