"""``make audit`` says whether anything was audited."""

import importlib.util
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

FILE = Path(__file__).parents[1] / "tools" / "audit.py"
SOUND = {"name": "a", "version": "1", "vulns": []}
HOLED = {"name": "b", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("said", "code", "out", "err"),
    [
        ([SOUND, SKIPPED], 0, "audited 1 packages; unknown to the database: c: 0 vulnerabilities", ""),
        ([SOUND, HOLED], 1, "audited 2 packages: 1 vulnerabilities", "b 2: X-1; fixed in 3"),
        (
            [SKIPPED, SKIPPED],
            0,
            "",
            "not audited: the database knows none of 2 packages (Dependency not found on PyPI)",
        ),
        (None, 0, "", "not audited: ConnectionError"),
    ],
)
def test_what_was_not_audited_is_said(
    said: list[dict[str, object]] | None,
    code: int,
    out: str,
    err: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An index without a database of vulnerabilities gave "audited 0 packages" and no word of warning."""
    spec = importlib.util.spec_from_file_location("audit", FILE)
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    answer = "" if said is None else json.dumps({"dependencies": said})
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=answer, stderr="Traceback\nConnectionError\n")
    )
    assert audit.main() == code
    found = capsys.readouterr()
    assert (found.out.strip(), found.err.strip()) == (out, err)
