"""Networks of others in our tables: an ONNX file, or a function of a Python module."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.evaluation.evaluate import Image
from undegrade.reading import read_regular

_LARGEST = 2_000_000_000
"""Of an ONNX file, in bytes: what its format can hold."""


@dataclass(frozen=True)
class Foreign:
    """A restorer that is not of this package.

    Attributes:
        name: for tables.
        sha256: of its file, in hex; "" where there is none.
        software: that runs it, and its version.
        scale: output pixels per input pixel along each side.
        function: (H, W, 3), float32 in [0, 1] -> (H scale, W scale, 3), floats; it may raise anything.
    """

    name: str
    sha256: str
    software: str
    scale: int
    function: Callable[[Image], Any]

    def restore(self, y: Image) -> NDArray[Any]:
        """Restore (H, W) or (H, W, 3). Grey is given as three equal channels; the mean of what comes back is taken.

        Raises:
            UndegradeError: the network fails, or gives something else than a picture of the right size.
        """
        grey = y.ndim == 2
        given = np.ascontiguousarray(np.repeat(y[..., None], 3, axis=2) if grey else y, np.float32)
        h, w = (n * self.scale for n in y.shape[:2])
        try:
            found = np.asarray(self.function(given))
        except UndegradeError:
            raise
        except Exception as error:  # whatever other people's code raises
            raise UndegradeError(
                f"{self.name} failed on a picture of {y.shape[1]}x{y.shape[0]}: {_first_line(error)}; it must take any "
                "height and width."
            ) from error
        if found.shape != (h, w, 3) or found.dtype.kind != "f":
            raise UndegradeError(
                f"{self.name} gave {found.dtype} of the shape {found.shape} instead of floats of {(h, w, 3)}; make it "
                "return a restored RGB picture in [0, 1]."
            )
        if not np.isfinite(found).all():
            raise UndegradeError(f"{self.name} gave NaN or infinity; check its input, which is RGB in [0, 1].")
        restored: NDArray[Any] = found.mean(axis=2) if grey else found
        return restored


def from_onnx(file: Path, scale: int) -> Foreign:
    """A network in ONNX Runtime, on the CPU.

    Args:
        file: of a graph with one input, float32 (N, 3, H, W), RGB in [0, 1], of any height and width; its first output
            is the restored picture.
        scale: of the task that it is measured on.

    Raises:
        UndegradeError: the file cannot be read, or is of another kind.
    """
    import onnxruntime

    try:
        content = read_regular(file, _LARGEST)
    except OSError as error:
        raise UndegradeError(f"{file}: cannot be read ({error.strerror}); check the file.") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    try:
        # By its path: large models have their weights in files beside them.
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's own classes, which share no base that says so
        raise UndegradeError(f"{file}: ONNX Runtime cannot load it ({_first_line(error)}); export it again.") from error
    inputs = session.get_inputs()
    shape = list(inputs[0].shape)
    one = len(inputs) == 1 and inputs[0].type == "tensor(float)" and len(shape) == 4
    if not one or (isinstance(shape[1], int) and shape[1] != 3):
        said = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise UndegradeError(f"{file}: its inputs are {said}; it must have one, float32 of (N, 3, height, width).")
    if any(isinstance(n, int) for n in shape[2:]):
        raise UndegradeError(
            f"{file}: it takes only pictures of {shape[3]}x{shape[2]}; export it with dynamic height and width."
        )
    first = session.get_outputs()[0].name

    def run(y: Image) -> NDArray[Any]:
        (made,) = session.run([first], {inputs[0].name: np.ascontiguousarray(y.transpose(2, 0, 1)[None])})
        restored: NDArray[Any] = made[0].transpose(1, 2, 0)
        return restored

    software = f"ONNX Runtime {onnxruntime.__version__}"
    return Foreign(file.stem, hashlib.sha256(content).hexdigest(), software, scale, run)


def from_module(spec: str, scale: int) -> Foreign:
    """A function of a module.

    Args:
        spec: ``"package.module:function"``, found in the current folder or where Python finds modules. The function is
            given (H, W, 3), float32 in [0, 1], and returns the restored picture as an array like it.
        scale: of the task that it is measured on.

    Raises:
        UndegradeError: it cannot be imported, or is no function.
    """
    module, colon, name = spec.partition(":")
    if not (module and colon and name):
        raise UndegradeError(f"{spec!r} names no function; give it as package.module:function.")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        function: Any = importlib.import_module(module)
    except Exception as error:  # whatever other people's code raises
        raise UndegradeError(f"{module} cannot be imported ({_first_line(error)}); check the name.") from error
    for part in name.split("."):
        function = getattr(function, part, None)
    if not callable(function):
        raise UndegradeError(f"{module} has no function {name}; check the name.")
    return Foreign(spec.replace(":", "."), "", f"Python {sys.version.split()[0]}", scale, function)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
