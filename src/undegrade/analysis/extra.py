"""Imports the optional libraries of the analysis."""

from __future__ import annotations

import importlib
from typing import Any

from undegrade.errors import UndegradeError


def need(module: str) -> Any:
    """Import a module of matplotlib or scikit-learn.

    Raises:
        UndegradeError: the library is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UndegradeError(
            f"this analysis needs {module.partition('.')[0]}, which is not installed; run: "
            "pip install 'undegrade[analyse]'."
        ) from error
