"""The pages: every name, path, link, command and option on them exists, and their tables are complete."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import pkgutil
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import undegrade
from undegrade.cli import build_parser
from undegrade.files.restore_file import Outcome

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {page.relative_to(ROOT).as_posix(): page for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))}
TEXTS = {name: page.read_text(encoding="utf-8") for name, page in PAGES.items()}
EVERYTHING = "\n".join(TEXTS.values())
PARENTS = [
    "benchmarks",
    "docs",
    "examples",
    "fuzz",
    "integrations",
    "reproduce",
    "results",
    "src",
    "tests",
    "tools",
    "training",
]


def found(pattern: str, text: str = EVERYTHING, flags: int = 0) -> list[Any]:
    """Every different match, sorted; at least one, so that no test runs over nothing."""
    matches = sorted(set(re.findall(pattern, text, flags)))
    assert matches, pattern
    return matches


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every line of a Markdown table."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


# --- names, paths, links ---


@pytest.mark.parametrize("name", found(r"`(undegrade(?:\.\w+)+)`"))
def test_every_name_exists(name):
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            if dataclasses.is_dataclass(thing) and part in {f.name for f in dataclasses.fields(thing)}:
                return
            assert hasattr(thing, part), name
            thing = getattr(thing, part)
        return
    pytest.fail(f"{name} cannot be imported")


@pytest.mark.parametrize("path", found(rf"(?<![\w/.-])(?:{'|'.join(PARENTS)})/[\w.*/-]*[\w*]"))
def test_every_path_exists(path):
    assert "NAME" in path or list(ROOT.glob(path)), path  # results/NAME.json is to be written


def anchors(text: str) -> set[str]:
    """The fragments of the headings, as the site makes them."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    titles = (re.sub(r"[`*]|\]\(.*?\)|\[", "", title) for title in re.findall(r"^#+ (.+)$", text, re.M))
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in titles}


LINKS = [(name, link) for name, text in TEXTS.items() for link in re.findall(r"\]\(([^)\s]+)\)", text)]


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_every_link_leads_somewhere(name, link):
    path, _, fragment = link.partition("#")
    assert ":" not in path, "links stay within the repository"
    target = (PAGES[name].parent / path).resolve() if path else PAGES[name]
    assert target.is_file()
    if name != "README.md":
        assert target.is_relative_to(DOCS), "the site has only what is in docs/"
    if fragment:
        assert fragment in anchors(target.read_text(encoding="utf-8"))


def test_every_page_is_in_the_sites_navigation():
    def pages(entry: Any) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        else:
            for part in entry.values() if isinstance(entry, dict) else entry:
                yield from pages(part)

    nav = list(pages(tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]))
    assert sorted(nav) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_every_room_of_the_package_has_a_page():
    rooms = {m.name for m in pkgutil.iter_modules(undegrade.__path__) if m.ispkg} - {"cli"}
    shown = set(found(r"^::: undegrade\.(\w+)$", flags=re.M))
    assert shown == rooms | {"metrics", "spandrel", "hub"}
    # The hub cannot be imported without its extra.
    assert all(importlib.import_module(f"undegrade.{name}").__doc__ for name in shown - {"hub"})


SECTIONS = ("Args:", "Attributes:", "Raises:")


@pytest.mark.parametrize("module", sorted(ROOT.glob("src/undegrade/**/*.py")), ids=lambda path: path.stem)
def test_the_site_can_read_the_sections_of_every_docstring(module):
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))) if isinstance(node, documented)]
    for text in filter(None, map(ast.get_docstring, nodes)):
        for part in text.split("\n\n"):
            head, *lines = part.split("\n")
            if head in SECTIONS:
                entries = [line for line in lines if not line.startswith(" " * 8)]
                assert all(re.match(r"    [\w*, .]+: ", line) for line in entries), part


# --- commands ---


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    importlib.import_module(f"undegrade.cli.{command}").add_arguments(made)
    return made


def options(made: argparse.ArgumentParser) -> set[str]:
    known = set()
    for action in made._actions:
        known |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                known |= options(sub)
    return known


SHELL = "\n".join(re.findall(r"^```sh\n(.*?)^```", EVERYTHING, re.S | re.M))


@pytest.mark.parametrize("line", found(r"^undegrade .*$", SHELL, re.M))
def test_every_shell_command_is_understood(line):
    without_redirections = re.sub(r" [<>] \S+", "", line)
    _, command, *arguments = shlex.split(without_redirections, comments=True)
    parser(command).parse_args(arguments)


def test_every_option_exists():
    known = options(build_parser())
    known |= {
        option
        for folder in ("reproduce", "benchmarks", "training")
        for path in ROOT.glob(f"{folder}/*.py")
        for option in re.findall(r'"(--[\w-]+)"', path.read_text())
    }
    named = set(found(r"(?<![\w-])--[a-z][a-z0-9-]+", re.sub(r"<!--.*?-->", "", EVERYTHING, flags=re.S)))
    others = {"--nproc-per-node"}  # of torchrun
    others |= {
        "--array",
        "--cpus-per-task",
        "--mem",
        "--requeue",
        "--sshloginfile",
        "--retries",
    }  # of Slurm and GNU parallel
    others |= {"--rm", "--read-only", "--tmpfs", "--cap-drop", "--user"}  # of docker
    others |= {"--variant", "--include", "--build-arg"} - known  # of debootstrap and buildah
    assert named - known == others


EXPERIMENTS = {one or other for one, other in found(r"`python reproduce/run\.py ([\w-]+)|\bexperiments? `([\w-]+)`")}


@pytest.mark.parametrize("name", sorted(EXPERIMENTS - {"NAME"}))
def test_every_experiment_exists(name):
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "reproduce").glob("*.py"))
    assert f'name="{name}"' in written


def test_every_field_of_a_record_is_explained():
    explained = [
        name for first, *_ in rows(TEXTS["docs/restore.md"]) for name in re.findall(r"^`(\w+)`|, `(\w+)`", first)
    ]
    assert ["".join(name) for name in explained] == [field.name for field in dataclasses.fields(Outcome)]


# --- tables ---


def test_no_cell_of_a_table_is_long():
    long = [(name, cell) for name, text in TEXTS.items() for row in rows(text) for cell in row if len(cell) > 200]
    assert long == []


def test_every_equation_table_and_figure_is_in_the_map():
    text = TEXTS["docs/paper.md"]
    covered: set[int] = set()
    for low, high in re.findall(r"^\| \((\d+)\)(?:-\((\d+)\))? ", text, re.M):
        covered |= set(range(int(low), int(high or low) + 1))
    assert covered == set(range(1, 21))
    tables = re.findall(r"^\| ((?:[IVX]+(?:, )?)+) \|", text, re.M)
    named = {n for row in tables for n in row.split(", ")}
    assert named == {"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI"}
    for figure in range(1, 9):
        assert re.search(rf"^\| (?:\d, )?{figure}, ", text, re.M), figure
