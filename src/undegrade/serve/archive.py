"""Several results in one zip."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from undegrade.files.restore_file import std_path
from undegrade.files.uncertainty import uncertainty_path

ZIP = "application/zip"


def write_zip(path: Path, files: Iterable[tuple[Path, str]]) -> None:
    """Files under the names that people know; where two have the same name, one gets a number.

    A file that was deleted in the meantime is left out.
    """
    taken: set[str] = set()
    with zipfile.ZipFile(path, "w") as archive:  # stored: pictures are compressed already
        for file, name in files:
            stem, dot, suffix = name.rpartition(".")
            n, unique = 1, name
            while unique.casefold() in taken:
                n += 1
                unique = f"{stem}-{n}{dot}{suffix}" if dot else f"{name}-{n}"
            taken.add(unique.casefold())
            with suppress(FileNotFoundError):
                archive.write(file, unique)


def zipped(result: Path, name: str) -> Path:
    """A zip of a result and of the pictures beside it, named as ``undegrade restore`` names them."""
    path = result.with_name("all.zip")
    beside = [(naming(result), naming(Path(name)).name) for naming in (std_path, uncertainty_path)]
    write_zip(path, [(result, name), *beside])
    return path
