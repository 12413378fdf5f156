"""What is in the package, and what the package index shows of it."""

import re
import tomllib
from pathlib import Path

import pytest

from tools import package

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "undegrade"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]


def test_every_file_of_the_sources_is_in_the_package() -> None:
    """Weights, graphs, the page, tables: setuptools takes only Python files by itself."""
    globs = PROJECT["tool"]["setuptools"]["package-data"]["undegrade"]
    taken = {file for glob in globs for file in SOURCE.glob(glob)}
    there = {file for file in SOURCE.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    assert there - taken == set()
    assert all(list(SOURCE.glob(glob)) for glob in globs)


def test_every_extra_that_a_message_names_exists() -> None:
    named = {
        name
        for file in (*SOURCE.rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md")
        for name in re.findall(r"undegrade\[(\w+)\]", file.read_text(encoding="utf-8"))
    }
    assert {"torch", "export", "hub", "spandrel", "completion", "serve"} <= named
    assert named <= set(EXTRAS) | {"NAME"}


def test_what_the_tests_need_is_what_the_extras_need() -> None:
    """So that an extra's lower bound is tried, but for spandrel, which brings torchvision."""
    needed = {line for name in ("completion", "export", "hub", "real", "serve") for line in EXTRAS[name]}
    assert needed - set(EXTRAS["dev"]) == set()


def test_the_torch_that_runs_these_tests_is_within_the_range() -> None:
    torch = pytest.importorskip("torch")
    requirements = pytest.importorskip("packaging.requirements")
    (line,) = EXTRAS["torch"]
    assert requirements.Requirement(line).specifier.contains(torch.__version__)


def test_a_release_has_the_address_of_the_repository(tmp_path: Path) -> None:
    address = "https://example.org/owner/undegrade"
    package.copy(tmp_path / "made", address)
    project = tomllib.loads((tmp_path / "made" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    urls = project.pop("urls")
    assert project == PROJECT["project"]
    assert urls["Repository"] == address
    assert {"Documentation", "Issues", "Changelog"} <= set(urls)
    links = re.findall(r"(!?)\[[^][]*\]\(([^)]+)\)", (tmp_path / "made" / "README.md").read_text(encoding="utf-8"))
    links += [("", link) for name, link in urls.items() if name in ("Documentation", "Changelog")]
    assert any(picture for picture, _ in links)
    for picture, link in links:
        view, path = re.fullmatch(rf"{address}/(raw|blob)/HEAD/([^#]+)(?:#.*)?", link).groups()  # type: ignore[union-attr]
        assert (ROOT / path).is_file(), link
        assert view == ("raw" if picture else "blob")


def test_a_package_that_is_only_tried_has_what_it_is_built_from(tmp_path: Path) -> None:
    package.copy(tmp_path / "made")
    for name in package.FILES:
        assert (tmp_path / "made" / name).read_bytes() == (ROOT / name).read_bytes()
    for pattern in PROJECT["project"]["license-files"]:
        assert (tmp_path / "made" / pattern).is_file()
    with pytest.raises(ValueError, match="give https://HOST/OWNER/NAME"):
        package.copy(tmp_path / "other", "github.com/owner/undegrade")
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"COPY {' '.join(package.FILES)} /src/" in docker
