"""Commands, their help, and the arguments that several of them share."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from undegrade.cli import COMMANDS, main
from undegrade.cli.arguments import ENGINES, TASK_NAMES, shipped_tasks
from undegrade.inference.engines import EngineName
from undegrade.tasks import TASKS
from undegrade.weights.card import shipped_cards


def examples(command: str) -> list[str]:
    """The commands at the end of a help: what two spaces set apart is said about them."""
    text = importlib.import_module(f"undegrade.cli.{command}").EXAMPLES
    lines = [line.strip() for line in text.splitlines()[1:] if line]
    assert all(line.startswith(f"undegrade {command}") for line in lines)
    return [re.split(r" {2,}", line)[0] for line in lines]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_in_the_help_is_understood(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"undegrade.cli.{command}")
    seen = []
    monkeypatch.setattr(module, "run", lambda args: seen.append(args) or 0)
    given = examples(command)
    assert given
    for line in given:
        assert main(shlex.split(line)[1:]) == 0
    assert len(seen) == len(given)


def test_help_comes_at_once() -> None:
    """Nothing that takes seconds to import is imported for it."""
    code = (
        "import sys\nfrom undegrade.cli import COMMANDS, main\n"
        "for command in COMMANDS:\n"
        "    try: main([command, '--help'])\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "print('LOADED', *{m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert "undegrade" in loaded
    assert not {"torch", "numpy", "PIL", "pyvips", "safetensors", "matplotlib", "scipy"} & loaded


def test_tasks_in_the_help_are_those_with_weights() -> None:
    assert shipped_tasks() == sorted({card.task for card in shipped_cards()})


def test_the_tasks_in_the_help_of_training_and_measuring_are_all_of_them() -> None:
    assert tuple(TASKS) == TASK_NAMES
    assert tuple(EngineName) == ENGINES


def test_the_variants_recipes_parts_and_cases_in_the_help_are_those_of_the_tasks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def helps(command: str) -> str:
        with pytest.raises(SystemExit):
            main([command, "--help"])
        return " ".join(capsys.readouterr().out.split())

    training = helps("train")
    variants = {variant for task in TASKS.values() for variant in task.variants}
    recipes = {recipe for task in TASKS.values() for names in task.recipes.values() for recipe in names}
    for name in variants | recipes | {"encoder", "restorer", "decoder", "estimator"}:
        assert re.search(rf"\b{name}\b", training), name
    cases = {b.case for task in TASKS.values() for b in task.benchmarks}
    named = re.findall(r"(?:sigma|QF) \d+|x2 \w+(?:\.\d)?", helps("evaluate").partition("--cases CASE")[2])
    assert named
    assert set(named) <= cases


def test_a_wrong_command_is_refused_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["repair"])
    assert end.value.code == 2
    assert "restore" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["restore", ""], ["restore", "a.png", "-o", ""], ["restore", "a.png", "-o", "a\0b"], ["estimate", ""],
        ["restore", "a\0.png"], ["train", "gaussian", "--data", "", "--out", "x"], ["restore", "a.png", "--json", ""],
    ],
)  # fmt: skip
def test_empty_and_impossible_names_are_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``restore ""`` took the whole current folder."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "name" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["-o", "out.gif"], ["-o", "out.HEIC"], ["--name", "{suffix}"], ["--name", ".{stem}.png"]]
)
def test_results_that_nobody_would_find_are_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(b"")
    assert main(["restore", "a.png", "--task", "gaussian", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("command", [["restore", "a.png"], ["estimate", "a.png"]])
@pytest.mark.parametrize("device", ["meta", "nonsense", "cuda:99", "cpu:x"])
def test_devices_without_values(command: list[str], device: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--device", device]) == 2
    assert "cannot be used here" in capsys.readouterr().err


def test_training_on_a_device_without_values(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(folder), "--out", str(tmp_path / "run"), "--device", "meta"]
    assert main(["train", "gaussian", *arguments]) == 2
    assert "cannot be used here" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["restore"], ["estimate"]])
@pytest.mark.parametrize("address", ["https://example.org/a.png", "HTTP://example.org"])
def test_web_addresses_are_refused_as_such(
    command: list[str], address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, address]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"undegrade {command[0]}: {address}: this is a web address; download the picture, and give the file."
