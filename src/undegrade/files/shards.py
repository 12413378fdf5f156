"""A shard is a part of a batch, by a hash of each picture's path: the same on every machine, without any exchange."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePath

from undegrade.errors import UndegradeError


@dataclass(frozen=True)
class Shard:
    """The part ``number`` of ``count``, numbered from 1. Each path is in exactly one.

    Raises:
        UndegradeError: there is no such shard.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise UndegradeError(
                f"--shard {self.number}/{self.count}: there is no such shard; number them from 1, as in 1/4 to 4/4."
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The part of ``"2/4"``.

        Raises:
            UndegradeError: it is not two whole numbers, or there is no such shard.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
        if found is None:
            raise UndegradeError(f"--shard {text!r:.60} is not a shard; give e.g. 1/4, the first of four.")
        return cls(int(found[1]), int(found[2]))

    def holds(self, relative: PurePath) -> bool:
        """Whether a picture is in this part.

        Args:
            relative: its path below the folder that was given as an input, or its name if it was given itself.
        """
        # The same on every system: one separator, and one way to write an accent.
        name = unicodedata.normalize("NFC", relative.as_posix()).encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.sha256(name).digest(), "big") % self.count == self.number - 1
