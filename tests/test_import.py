"""``import vdir`` costs nothing, needs no network, and its names are what they say."""

import subprocess
import sys

import pytest

import vdir


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_loads_nothing_heavy() -> None:
    loaded = python("import sys, vdir; print(*{m.split('.')[0] for m in sys.modules})").split()
    assert not {"torch", "numpy", "pyvips", "PIL", "safetensors", "tqdm"} & set(loaded)


def test_restoring_and_training_do_without_what_they_do_not_need() -> None:
    code = "import sys, vdir.pipeline, vdir.train.loop; print(*{m.split('.')[0] for m in sys.modules})"
    assert not {"pyvips", "skimage", "scipy", "tifffile"} & set(python(code).split())


def test_no_network() -> None:
    python(
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "import vdir\n"
        "for name in vdir.__all__: getattr(vdir, name)\n"
    )


def test_names() -> None:
    assert vdir.__version__
    assert set(vdir.__all__) <= set(dir(vdir))
    assert "gaussian" in vdir.TASKS
    assert issubclass(vdir.VdirError, Exception)
    assert vdir.load is __import__("vdir.pipeline", fromlist=["x"]).load_pipeline
    with pytest.raises(AttributeError, match="nonsense"):
        _ = vdir.nonsense


def test_restore_stays_a_function_whatever_is_imported() -> None:
    python("import vdir, vdir.cli.restore, vdir.pipeline, vdir.hub; assert callable(vdir.restore)")
