"""From a file to its result nothing imports PyTorch: every import of it fails here, as where it is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.pictures import make_photo

HOOK = """
import sys

class Refuse:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "onnxscript", "matplotlib", "sklearn", "scipy"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse)
"""


def without(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HOOK + code, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return without("from undegrade.cli import main; sys.exit(main())", *arguments)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(make_photo(40, 56, 1)).save(path)
    return path


def test_the_hook_refuses() -> None:
    assert "No module named 'torch'" in without("import torch").stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["restore", "--help"], ["train", "--help"], ["estimate", "--help"], ["analyse", "--help"]]
)
def test_help(arguments: list[str]) -> None:
    done = command(*arguments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--task", "gaussian", "--strength", "0.6", "--samples", "2"],
        ["--task", "gaussian", "--sigma", "20"],
        ["--task", "jpeg", "--self-ensemble"],
        ["--task", "real"],
        ["--task", "sr-x2"],
    ],
)
def test_restore(picture: Path, options: list[str], tmp_path: Path) -> None:
    done = command("restore", str(picture), "-o", str(tmp_path / "out"), *options)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "photo.png").is_file()


def test_estimate(picture: Path, tmp_path: Path) -> None:
    done = command("estimate", str(picture))
    assert done.returncode == 0, done.stderr
    assert "noise level" in done.stdout
    done = command("estimate", str(picture), "--task", "sr-x2", "--kernels", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "blur kernel" in done.stdout
    assert list(tmp_path.glob("*-kernel.png"))


def test_what_is_shipped() -> None:
    done = command("models")
    assert done.returncode == 0, done.stderr
    assert "gaussian-fast: Remove white Gaussian noise" in done.stdout


def test_exporting_needs_onnx_alone(tmp_path: Path) -> None:
    file = tmp_path / "gaussian.onnx"
    done = command("export", "gaussian", "--onnx", str(file))
    assert (done.returncode, file.exists()) == (2, False)
    assert "exporting needs the library onnx" in done.stderr
    alone = HOOK.replace('"onnx", "onnxscript", ', "")
    code = f"{alone}\nfrom undegrade.cli import main; sys.exit(main(['export', 'gaussian', '--onnx', {str(file)!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert file.stat().st_size > 4e6


def test_arrays() -> None:
    code = (
        "import numpy as np, undegrade\n"
        "x = np.random.default_rng(0).random((20, 30, 3), np.float32)\n"
        "assert undegrade.restore(x).shape == x.shape\n"
        "assert undegrade.load('jpeg').estimate(x).shape == (1,)\n"
        "assert len(undegrade.TASKS) > 5\n"
    )
    done = without(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["restore", "PICTURE", "--task", "gaussian", "--device", "cuda"],
        ["train", "gaussian", "--variant", "fast", "--data", "FOLDER", "--val", "FOLDER", "--out", "FOLDER/run"],
        ["analyse", "health", "--data", "FOLDER"],
    ],
)
def test_what_needs_it_says_how_to_install_it(picture: Path, arguments: list[str]) -> None:
    known = {"PICTURE": str(picture), "FOLDER": str(picture.parent)}
    for name, value in known.items():
        arguments = [a.replace(name, value) for a in arguments]
    done = command(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "needs PyTorch; install it with: pip install 'undegrade[torch]'" in done.stderr
