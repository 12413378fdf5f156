"""``import undegrade`` costs nothing, needs no network, and its names are what they say."""

import subprocess
import sys

import pytest

import undegrade


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_loads_nothing_heavy() -> None:
    loaded = python("import sys, undegrade; print(*{m.split('.')[0] for m in sys.modules})").split()
    assert not {"torch", "numpy", "pyvips", "PIL", "safetensors", "tqdm"} & set(loaded)


def test_restoring_and_training_do_without_what_they_do_not_need() -> None:
    code = (
        "import sys, undegrade.inference.pipeline, undegrade.train.loop\nprint(*{m.split('.')[0] for m in sys.modules})"
    )
    assert not {"pyvips", "skimage", "scipy", "tifffile"} & set(python(code).split())


def test_restoring_an_array_loads_no_masked_arrays() -> None:
    """numpy loads them when they are first named."""
    python(
        "import sys, numpy as np, undegrade\n"
        "undegrade.restore(np.zeros((8, 8), np.uint8))\n"
        "assert 'numpy.ma' not in sys.modules\n"
    )


@pytest.mark.parametrize("command", ["restore", "estimate"])
@pytest.mark.parametrize("given", ["", "2"])
def test_a_command_has_numpy_start_no_threads_that_wait_busily(command: str, given: str) -> None:
    """The library behind NumPy's products reads the variable once, when NumPy is imported."""
    seen = python(
        "import os, sys\n"
        "os.environ.pop('OPENBLAS_NUM_THREADS', None)\n"
        f"if {given!r}: os.environ['OPENBLAS_NUM_THREADS'] = {given!r}\n"
        "class Watch:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'numpy': print('threads', os.environ.get('OPENBLAS_NUM_THREADS'))\n"
        "sys.meta_path.insert(0, Watch())\n"
        "from undegrade.cli import main\n"
        f"main([{command!r}, 'examples/no-such-file.png'])\n"
    )
    assert [line for line in seen.splitlines() if line.startswith("threads")] == [f"threads {given or 1}"]


def test_no_network() -> None:
    python(
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "import undegrade\n"
        "for name in undegrade.__all__: getattr(undegrade, name)\n"
    )


def test_names() -> None:
    assert undegrade.__version__
    assert set(undegrade.__all__) <= set(dir(undegrade))
    assert "gaussian" in undegrade.TASKS
    assert issubclass(undegrade.UndegradeError, Exception)
    assert undegrade.load is __import__("undegrade.inference.load", fromlist=["x"]).load_pipeline
    with pytest.raises(AttributeError, match="nonsense"):
        _ = undegrade.nonsense


def test_restore_stays_a_function_whatever_is_imported() -> None:
    modules = "undegrade.cli.restore, undegrade.inference.pipeline, undegrade.weights.card"
    python(f"import undegrade, {modules}; assert callable(undegrade.restore)")
