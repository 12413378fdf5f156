"""A table of the package with one more entry, as if it stood in its file."""

import sys
from collections.abc import Mapping
from typing import Any

import pytest


def add_entry(monkeypatch: pytest.MonkeyPatch, table: str, entry: Any) -> None:
    """Add a value that has a ``name`` to ``TASKS`` or ``RESTORERS``, in every module that has imported the table."""
    home = {"TASKS": "undegrade.tasks", "RESTORERS": "undegrade.model.restorers"}[table]
    before: Mapping[str, Any] = getattr(sys.modules[home], table)
    assert entry.name not in before
    after = {**before, entry.name: entry}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "undegrade" and vars(module).get(table) is before:
            monkeypatch.setattr(module, table, after)
