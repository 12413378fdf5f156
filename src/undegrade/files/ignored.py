"""What a folder holds besides pictures, by suffix: the last line of a batch names it."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from pathlib import Path, PurePosixPath

from undegrade.image import Format

_NAMED = 5
"""Most kinds that are named."""
_LONGEST = 10


def kind_of(entry: os.DirEntry[str]) -> str:
    """What is ignored, for people: the suffix of a file, in small letters."""
    with suppress(OSError):
        if entry.is_dir():
            return "links to folders"
    if Format.of_name(Path(entry.name)) is not None:
        return "pipes and devices"
    return kind_of_name(entry.name)


def kind_of_name(name: str) -> str:
    """The kind of a file that is ignored for its name."""
    suffix = PurePosixPath(name).suffix.lower()
    if len(suffix) < 2:
        return "without suffix"
    return suffix if len(suffix) <= _LONGEST else "long suffixes"


def in_words(ignored: Counter[str]) -> str:
    """How many files of each kind there are, the most frequent ones first: ``.txt 2, .mp4 1``."""
    kinds = sorted(ignored, key=lambda kind: (-ignored[kind], kind))
    named = [f"{kind} {ignored[kind]}" for kind in kinds[:_NAMED]]
    rest = sum(ignored[kind] for kind in kinds[_NAMED:])
    return ", ".join([*named, f"others {rest}"] if rest else named)
