"""Records of a large batch: JSON lines in parts, since an object of a store cannot be appended to."""

from __future__ import annotations

import datetime
import io
import secrets
import time

from undegrade.cluster.storage import Place, first_line

LINES = 1000
"""Records of a part, at most."""
SECONDS = 60.0
"""Seconds after which a part is written even if it has fewer."""


class Parts(io.TextIOBase):
    """Takes lines and writes them to files of a folder, ``records-RUN-000001.jsonl`` and so on, each of them whole.

    Args:
        place: the folder.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        now = datetime.datetime.now(datetime.UTC)
        self._run = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        self._lines: list[str] = []
        self._count = 0
        self._since = time.monotonic()

    def write(self, text: str) -> int:
        """Take a part of a line, or lines."""
        self._lines.append(text)
        return len(text)

    def flush(self) -> None:
        """Write a part if it is due.

        Raises:
            OSError: it cannot be written.
        """
        lines = sum(text.count("\n") for text in self._lines)
        if lines >= LINES or (lines and time.monotonic() - self._since >= SECONDS):
            self._put()

    def close(self) -> None:
        """Write the last part.

        Raises:
            OSError: it cannot be written.
        """
        if not self.closed:
            try:
                self._put()
            finally:
                super().close()

    def _put(self) -> None:
        self._since = time.monotonic()
        if not self._lines:
            return
        content, self._lines = "".join(self._lines).encode("ascii"), []
        self._count += 1
        try:
            self._place.put_bytes(content, f"records-{self._run}-{self._count:06}.jsonl")
        except OSError:
            raise
        except Exception as error:  # each store has errors of its own
            raise OSError(first_line(error)) from error
