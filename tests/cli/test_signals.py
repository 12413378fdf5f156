"""Ctrl-C at any moment, and standard streams that are closed, full or read by nobody."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.cli.restoring import picture
from tests.pictures import make_photo
from undegrade.cli import interrupts, main
from undegrade.image import vips
from undegrade.reading import printable

pytestmark = [
    pytest.mark.usefixtures("here", "sigint_is_not_ignored"),
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]


COMMAND = [sys.executable, "-m", "undegrade"]


def started(*arguments: str, **more: object) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def leftovers() -> list[Path]:
    return [path for path in Path().rglob("*") if path.name.endswith(".part")]


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 0.05, 0.2, 0.5, 1.0, 2.0])
def test_ctrl_c_ends_the_batch_wherever_it_is(after: float) -> None:
    for i in range(6):
        Pillow.fromarray(make_photo(400, 400, i)).save(f"{i}.png")
    process = started("restore", ".", "-o", "out", "--task", "gaussian")
    if after > 0.2:  # from the first result on
        while not any(Path("out").glob("*.png")) and process.poll() is None:
            time.sleep(0.01)
    else:
        time.sleep(0.15)
    time.sleep(after / 4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "interrupted" in err
    assert "failed" not in err
    assert leftovers() == []
    for path in Path("out").glob("*.png"):
        Pillow.open(path).load()


def test_an_interruption_while_libvips_works_is_not_lost(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Inside a callback from C, Python prints the exception and forgets it."""
    for i in range(3):
        picture(f"p/{i}.png", i)
    write = vips.Spliced._write

    def interrupted(self: vips.Spliced, data: bytes) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return write(self, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vips.Spliced, "_write", interrupted)
        assert main(["restore", "p", "-o", "out", "--weights", weights]) == 130
    said = capsys.readouterr()
    assert "interrupted, 0 of 3 done; the same command with --skip-existing goes on." in said.err
    assert "Traceback" not in said.err
    assert not Path("out").exists()
    assert main(["restore", "p", "-o", "out", "--weights", weights, "--skip-existing"]) == 0


def test_an_exception_that_a_library_swallowed_still_ends_the_batch(
    weights: str, quick: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture("p/a.png")
    picture("p/b.png")
    monkeypatch.setattr(interrupts, "_received", [])
    monkeypatch.setattr(interrupts, "received", lambda: bool(quick))
    check = interrupts.check
    monkeypatch.setattr(interrupts, "_received", quick)  # non-empty after the first file
    monkeypatch.setattr(interrupts, "check", check)
    assert main(["restore", "p", "-o", "out", "--weights", weights]) == 130
    assert quick == ["a.png"]
    assert "interrupted, 1 of 2 done" in capsys.readouterr().err


def test_the_second_ctrl_c_ends_at_once() -> None:
    code = (
        "import os, signal, sys, pathlib\n"
        "from undegrade.atomic import replacing\n"
        "from undegrade.cli import interrupts\n"
        "with interrupts.watching(), replacing(pathlib.Path('x')) as file:\n"
        "    for _ in range(2):\n"
        "        try:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "        except KeyboardInterrupt:\n"
        "            pass\n"
        "    print('went on')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert leftovers() == []


def test_a_closed_stderr_restores_all_the_same(weights: str) -> None:
    picture("a.png")
    shell = f'"{sys.executable}" -m undegrade restore a.png missing.png -o out --weights "{weights}" 2>&-'
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert Path("out/a.png").is_file()
    assert "missing" not in Path("out/a.png").read_bytes().decode("latin-1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
@pytest.mark.parametrize(
    "command",
    [
        ["estimate", "a.png"],
        ["estimate", "a.png", "--json", "-"],
        ["restore", "a.png"],
        ["restore", "a.png", "--json", "-"],
    ],
)
def test_output_that_cannot_be_written_is_one_sentence(weights: str, command: list[str]) -> None:
    picture("a.png")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *command, "--weights", weights], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("undegrade")]) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["estimate", "restore"])
def test_a_reader_that_ends_early(weights: str, command: str) -> None:
    for i in range(3):
        picture(f"{i}.png", i)
    shell = f'"{sys.executable}" -m undegrade {command} 0.png 1.png 2.png --weights "{weights}" | head -n 1'
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("0.png: ")
    assert done.stderr == ""


def test_names_cannot_control_the_terminal(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\n9.png: restored\x1b[2J\u202e.png"
    picture("a.png")
    Path("a.png").rename(name)
    Path("b\x1b[2J.png").write_bytes(b"no picture")
    assert main(["restore", name, "b\x1b[2J.png", "missing\r\n.png", "-o", "out", "--weights", weights]) == 1
    assert main(["estimate", name, "missing\r\n.png", "--weights", weights]) == 1
    with pytest.raises(SystemExit):
        main(["restore", "--half=\x1b[2J"])
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert not {c for c in text if not c.isprintable()} - {"\n"}
        assert not any(line.startswith("9.png") for line in text.splitlines())
    assert printable("é\t\udcff") == r"é\t\udcff"


def test_pictures_stay_whole_in_threads_of_their_own() -> None:
    assert vips.aside(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        vips.aside(lambda: 1 // 0)
    assert np.int8(vips.aside(lambda: 7)) == 7


def test_an_interrupt_within_code_made_from_text_has_the_same_exit_code(tmp_path: Path) -> None:
    """Python remembers it, e.g. while a dataclass is made, and would end by the signal although it was caught."""
    (tmp_path / "program.py").write_text(
        "import runpy, sys\n"
        "import undegrade.cli as cli\n"
        "def main(argv=None):\n"
        "    try:\n"
        "        exec('raise KeyboardInterrupt')\n"
        "    except KeyboardInterrupt:\n"
        "        return 130\n"
        "cli.main = main\n"
        "runpy.run_module('undegrade', run_name='__main__')\n"
    )
    command = [sys.executable, "-m", "program"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 130, done.stderr


def test_names_of_folders_cannot_control_the_terminal_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables, and what training says of its folder, printed them raw."""
    folder = tmp_path / "a\n9 restored\x1b[2J"
    folder.mkdir()
    Pillow.fromarray(make_photo(40, 40, 0)).save(folder / "a.png")
    assert main(["evaluate", "gaussian", "--folder", str(folder), "--cases", "10"]) == 0
    assert main(["evaluate", "gaussian", "--pairs", str(folder), str(folder)]) == 0
    small = ["--variant", "fast", "--batch", "1", "--patch", "16", "--steps", "1"]
    assert main(["train", "gaussian", "--data", str(folder), "--out", str(folder / "run"), *small]) == 0
    assert main(["results", "--folder", str(tmp_path), "--page", str(folder / "none"), "--check"]) == 1
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert not {c for c in text if not c.isprintable()} - {"\n", "\r"}  # \r: progress bars
        assert not any(line.startswith("9 restored") for line in text.splitlines())
