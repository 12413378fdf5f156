"""Finds the pictures in a folder and its subfolders, by their names."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from undegrade.files.identity import identity
from undegrade.files.ignored import kind_of
from undegrade.image import Format


@dataclass(frozen=True)
class Found:
    """The content of a folder: pictures in order, others by suffix, and subfolders that cannot be read."""

    files: tuple[Path, ...]
    ignored: Counter[str]
    unread: tuple[tuple[Path, str], ...]


def search(folder: Path, apart: Path) -> Found:
    """Find the files in a folder and its subfolders that have picture names; files of a folder before its subfolders.

    Hidden files and folders are skipped, and links to folders are not followed. A link to a file counts as that file.

    Args:
        folder: the folder to search.
        apart: a folder to skip, unless it is ``folder`` itself: it holds results, not inputs.
    """
    files: list[Path] = []
    unread: list[tuple[Path, str]] = []
    ignored: Counter[str] = Counter()
    visited = {identity(apart)} - {identity(folder)}
    ahead = [folder]
    while ahead:
        here = ahead.pop()
        if (this := identity(here)) in visited:  # links are not followed, but Windows junctions can form a loop
            continue
        visited.add(this)
        try:
            with os.scandir(here) as entries:
                there = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            unread.append((here, error.strerror or str(error)))
            continue
        below = []
        for entry in there:
            if entry.is_dir(follow_symlinks=False):
                below.append(here / entry.name)
            elif Format.of_name(Path(entry.name)) is not None and _may_be_read(entry):
                files.append(here / entry.name)
            else:
                ignored[kind_of(entry)] += 1
        ahead += reversed(below)
    return Found(tuple(files), ignored, tuple(unread))


def _may_be_read(entry: os.DirEntry[str]) -> bool:
    """Whether it is a regular file, not a pipe or device. Broken links pass; reading them reports the error."""
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return True
