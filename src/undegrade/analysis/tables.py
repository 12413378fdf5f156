"""Writes CSV and other files, whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from undegrade.atomic import replacing
from undegrade.errors import UndegradeError

Value = str | float | int | None


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Value]]) -> Path:
    """Write a CSV file; floats with six significant digits, None as an empty cell.

    Raises:
        UndegradeError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in rows)
    return write(path, text.getvalue().encode())


def write(path: Path, content: bytes) -> Path:
    """Write a file; missing folders are created.

    Raises:
        UndegradeError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise UndegradeError(
            f"{path}: cannot be written ({error.strerror}); check the folder and the free space."
        ) from error
    return path
