"""There is one version, and the changelog's newest section is about it."""

import re
import tomllib
from pathlib import Path

import pytest

import undegrade
from undegrade.cli import main

ROOT = Path(__file__).parents[1]


def test_the_command_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"undegrade {undegrade.__version__}\n"


def test_it_is_the_version_that_the_changelog_tells_of() -> None:
    newest = re.search(r"^## \[([\d.]+)\] - (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert newest
    number, date = newest.groups()
    assert undegrade.__version__ == (f"{number}.dev0" if date == "unreleased" else number)


def test_the_package_takes_it_from_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "undegrade.__version__"}
