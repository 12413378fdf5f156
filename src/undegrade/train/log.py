"""``metrics.jsonl``: one line for every few steps of a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from undegrade.atomic import replacing
from undegrade.reading import open_regular, parse_json, printable, whole


class Log:
    """The log of a run.

    Args:
        path: of the file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, row: dict[str, float]) -> None:
        """Append a line; where the disk is full, say so and go on."""
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            print(f"{printable(self.path)} cannot be written ({error.strerror}); training goes on", file=sys.stderr)

    def rows(self) -> list[dict[str, Any]]:
        """All lines but those that a kill or a full disk cut short."""
        if not self.path.exists():
            return []
        found = []
        with open_regular(self.path) as file:
            lines = file.read().decode("utf-8", "replace").splitlines()
        for line in lines:
            try:
                row = parse_json(line)
            except ValueError:
                continue
            if isinstance(row, dict) and whole(0, 10**12)(row.get("step")) is None:
                found.append(row)
        return found

    def cut(self, step: int) -> None:
        """Drop what comes after a step."""
        if self.path.exists():
            kept = [row for row in self.rows() if row["step"] <= step]
            with replacing(self.path) as file:
                file.write("".join(json.dumps(row) + "\n" for row in kept).encode())
