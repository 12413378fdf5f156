"""``undegrade completion``: what a shell proposes with its script."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from undegrade.cli import COMMANDS, main
from undegrade.tasks import TASKS

pytest.importorskip("shtab")


@pytest.fixture
def bash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    if not shutil.which("bash"):
        pytest.skip("there is no bash")
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "undegrade.bash"
    script.write_text(capsys.readouterr().out)
    return script


def proposed(script: Path, *words: str) -> set[str]:
    """What bash proposes for the last word of a command line."""
    line = (
        f"source {script}\nCOMP_WORDS=(undegrade {' '.join(repr(w) for w in words)})\n"
        f"COMP_CWORD={len(words)}\n_shtab_undegrade\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    )
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, cwd=script.parent)
    return set(done.stdout.split())


def test_commands_options_tasks_and_files(bash: Path) -> None:
    assert proposed(bash, "") >= set(COMMANDS)
    assert proposed(bash, "comp") == {"completion"}
    assert proposed(bash, "restore", "--str") >= {"--strength", "--strip-metadata"}
    assert proposed(bash, "restore", "--task", "") == set(TASKS)
    assert proposed(bash, "export", "gau") == {"gaussian", "gaussian-fast"}
    assert proposed(bash, "export", "gaussian", "--onnx", "x.onnx", "--dark") == {"--darktable"}
    assert "wide" in proposed(bash, "train", "gaussian", "--variant", "")
    (bash.parent / "photos").mkdir()
    (bash.parent / "photo.png").touch()
    assert {"photo.png", "photos"} <= {name.rstrip("/") for name in proposed(bash, "restore", "pho")}
    assert {name.rstrip("/") for name in proposed(bash, "evaluate", "gaussian", "--benchmarks", "pho")} == {"photos"}


def test_other_shells(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"]) == 0
    assert "#compdef undegrade" in capsys.readouterr().out
    assert main(["completion", "cmd"]) == 2
    error = capsys.readouterr().err
    assert "no completion for 'cmd'; choose from bash, zsh" in error


def test_without_the_library_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install 'undegrade[completion]'" in capsys.readouterr().err
