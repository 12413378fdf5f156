"""What comes of each kind of file: the tables of ``docs/files.md``.

``python -m tests.image.page`` makes each file, reads it, writes it, reads that, and writes the page.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np

from tests.image.annotated import talkative
from tests.image.kinds import Kind, kinds
from undegrade.errors import UndegradeError
from undegrade.image import Format, Picture, read, write

PAGE = Path(__file__).parents[2] / "docs" / "files.md"


def together(picture: Picture) -> np.ndarray:
    """Pixels and alpha in one array."""
    return picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])


def sentence(error: UndegradeError) -> str:
    """What is wrong and what to do, without the file's name and the decoder's own words."""
    said = str(error).split(": the picture ", 1)[1]
    return re.sub(r"(damaged or cut short) \(.*\)", r"\1 (...)", said)


def outcome(kind: Kind, folder: Path) -> tuple[str, str]:
    """What it is read as, and what comes back after writing and reading again."""
    path = folder / "kind"
    path.write_bytes(kind.make())
    try:
        given = read(path)
    except UndegradeError as error:
        return "", f"refused: it {sentence(error)}"
    write(folder / "out", given)
    found = read(folder / "out")
    colours = "grey" if given.grey else "RGB"
    seen = f"{8 * given.pixels.itemsize}-bit {colours}{' with alpha' if given.alpha is not None else ''}"
    same = np.array_equal(together(given), together(found))
    back = "the same pixels" if same else "the pixels, compressed anew"
    if given.bits != 8 * given.pixels.itemsize:
        back += f", {given.bits} bit"
    if found.grey is not given.grey:
        back += ", as RGB"
    if found.format is not given.format:
        back += f", as {found.format.upper()}"
    return seen, "; ".join([back, *given.notes])


SAID = {
    "colour profile": "icc",
    "EXIF": "exif",
    "XMP": "xmp",
    "Photoshop resources, IPTC": "photoshop",
    "colours of its own (gAMA, cHRM, cICP)": "colour",
    "comments": "comments",
}


def said() -> str:
    """The table of what files say beside their pixels."""
    cells: dict[str, list[str]] = {name: [] for name in [*SAID, "resolution"]}
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "in", Path(folder) / "out"
        for format in Format.written():
            path.write_bytes(talkative(format))
            given = read(path)
            write(out, given)
            found = read(out)
            for name, field in SAID.items():
                a, b = getattr(given.metadata, field), getattr(found.metadata, field)
                cells[name].append("" if not a else "byte for byte" if a == b else "kept" if b else "lost")
            same = np.allclose(given.resolution, found.resolution, rtol=1e-3)
            cells["resolution"].append("kept" if same else "lost")
    written = [format.upper() for format in Format.written()]
    head = "| | " + " | ".join(written) + " |\n|:--" + "|:--" * len(written) + "|\n"
    return head + "\n".join(f"| {name} | {' | '.join(row)} |" for name, row in cells.items()) + "\n"


def page() -> str:
    """The text of ``docs/files.md``."""
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds():
            seen, back = outcome(kind, Path(folder))
            rows.append(f"| {kind.format} | {kind.name} | {seen} | {back} |")
    head = "| file | kind | read as | written back |\n|:--|:--|:--|:--|\n"
    text = PAGE.read_text(encoding="utf-8")
    for name, table in (("kinds", head + "\n".join(rows) + "\n"), ("said", said())):
        text = re.sub(rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda m, t=table: m[1] + t + m[2], text, flags=re.S)
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
