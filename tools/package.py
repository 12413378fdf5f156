"""Copies what the package is built from, for ``make package``.

    python tools/package.py TO [ADDRESS]

ADDRESS is that of the public repository, for a release: it becomes the project's URLs, and README's links and pictures
get it, since the package index shows README without the files beside it.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")


def with_address(readme: str, address: str) -> str:
    """README with absolute links: pictures as files, all else as the pages that show them."""
    readme = re.sub(r"(!\[[^]]*\])\((?!https?:|#)", rf"\1({address}/raw/HEAD/", readme)
    return re.sub(r"(?<!!)(\[[^][]*\])\((?!https?:|#)", rf"\1({address}/blob/HEAD/", readme)


def with_urls(project: str, address: str) -> str:
    """pyproject.toml with the project's URLs."""
    pages = {"Repository": "", "Documentation": "/blob/HEAD/docs/index.md", "Issues": "/issues",
             "Changelog": "/blob/HEAD/CHANGELOG.md"}  # fmt: skip
    lines = "".join(f'{name} = "{address}{path}"\n' for name, path in pages.items())
    return project.replace("[project.scripts]\n", f"[project.urls]\n{lines}\n[project.scripts]\n", 1)


def copy(to: Path, address: str = "") -> None:
    """Copy the files of the package.

    Args:
        to: a folder that is made.
        address: of the repository; empty to leave links as they are, for a package that is only tried.

    Raises:
        ValueError: the address is none.
    """
    if address and not re.fullmatch(r"https://[\w.-]+(/[\w.~-]+)+", address):
        raise ValueError(f"{address!r} is no address of a repository; give https://HOST/OWNER/NAME.")
    to.mkdir(parents=True)
    for name in FILES:
        shutil.copy(ROOT / name, to)
    shutil.copytree(ROOT / "src", to / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    if address:
        for name, change in (("README.md", with_address), ("pyproject.toml", with_urls)):
            text = (ROOT / name).read_text(encoding="utf-8")
            (to / name).write_text(change(text, address), encoding="utf-8")


if __name__ == "__main__":
    copy(Path(sys.argv[1]), *sys.argv[2:])
