"""MATLAB files. scipy (for version 5) and h5py (for version 7.3) are optional, and imported where they are used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.atomic import replacing
from undegrade.errors import UndegradeError
from undegrade.reading import open_regular


def read(path: Path, name: str) -> NDArray[Any]:
    """One array of a MATLAB file of either version, with the axes that it has in MATLAB.

    Raises:
        UndegradeError: the file cannot be read or has no such array, or a library is missing.
    """
    with _explained(path):
        try:
            scipy_io = _library("scipy.io")
            with open_regular(path) as content:
                found = scipy_io.loadmat(content, variable_names=[name])
        except NotImplementedError:  # version 7.3
            with opened(path) as file:
                return np.array(file[name]).transpose()  # it stores columns first
        return np.asarray(found[name])


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A version 7.3 file as an ``h5py.File``, whose axes are in reverse. Nothing is read before it is asked for.

    Raises:
        UndegradeError: the file cannot be read, something that the block asks for is not in it, or h5py is missing.
    """
    with _explained(path):
        h5py = _library("h5py")
        with open_regular(path) as content, h5py.File(content, "r") as file:
            yield file


def write(path: Path, variables: Mapping[str, Any]) -> None:
    """Write a version 5 file, whole or not at all. An array of objects becomes a cell array, a mapping a struct.

    Raises:
        UndegradeError: it cannot be written, or scipy is missing.
    """
    savemat = _library("scipy.io").savemat
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            savemat(file, dict(variables))
    except OSError as error:
        raise UndegradeError(f"cannot write {path} ({error.strerror}); choose another place.") from error


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except UndegradeError:
        raise
    except Exception as error:  # the libraries raise far more than OSError on broken files
        raise UndegradeError(f"cannot read {path} ({error}); replace it with a whole copy.") from error


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UndegradeError(
            "MATLAB files need scipy and h5py; install them with: pip install 'undegrade[real]'."
        ) from error
