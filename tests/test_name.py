"""The package was once called what GNU coreutils calls a command and the package index somebody else's project.

Nothing may tell a user to install, run or import that. The method and the class of its network keep the paper's name.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLD = "v" + "dir"
NETWORK = re.compile(rf"(?:model[./]|tests/model/test_|\btest_){OLD}\b")
"""The module that holds the network, and its tests."""


def stale(text: str) -> list[str]:
    """Every word with the old name in it that is neither the method's name nor the network's module."""
    words = re.findall(rf"\w*{OLD}\w*", NETWORK.sub("", text), re.IGNORECASE)
    return [word for word in words if word != OLD.upper()]


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [Path(name) for name in done.stdout.split("\0") if name]


def test_nothing_tells_a_user_to_install_run_or_import_the_old_name() -> None:
    found = {}
    for file in tracked():
        assert not stale(file.as_posix()), file
        path = ROOT / file
        if not path.is_file() or file == Path("CHANGELOG.md"):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if words := stale(text):
            found[file.as_posix()] = words
    assert found == {}


def test_the_changelog_may_tell_the_old_name_but_not_to_use_it() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert not re.search(rf"install '?{OLD}|{OLD}\[|{OLD} (?:restore|estimate|evaluate|train|analyse)", text)


@pytest.mark.parametrize(
    "text",
    ["pip install {}", "pip install '{}[analyse]'", "{} restore a.png", "import {}", "src/{}/cli.py", "{}_DATA=sets"],
)
def test_the_old_name_would_be_seen(text: str) -> None:
    assert stale(text.format(OLD))
    assert stale(text.format(OLD.title()))


def test_the_methods_name_is_no_offence() -> None:
    upper = OLD.upper()
    assert (
        stale(f"class {upper}(nn.Module): from undegrade.model.{OLD} import {upper}  # src/undegrade/model/{OLD}.py")
        == []
    )
    assert stale(f"{upper}_DATA") == [f"{upper}_DATA"]
