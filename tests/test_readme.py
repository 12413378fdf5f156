"""The README's numbers are the card's and the paper file's, and its commands exist."""

import re
from pathlib import Path

import pytest

from undegrade.cli import COMMANDS, main
from undegrade.evaluation.paper import paper
from undegrade.weights.card import shipped_cards

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (CBSD68|Kodak24|Urban100) \| ([^|]+?) \| (.+) \|$", README, re.M)


@pytest.mark.parametrize(("dataset", "method", "values"), ROWS, ids=lambda v: v[:20])
def test_table_of_denoisers(dataset, method, values):
    cases = paper().tables["I"].cases
    shown = [None if v.strip() == "-" else float(v) for v in values.split("|")]
    if method == "gaussian-fast":
        card = next(c for c in shipped_cards() if c.name == method)
        known = [card.measured[f"{dataset} {case} psnr"] for case in cases]
    else:
        known = [paper().value("I", "psnr", method, dataset, case) for case in cases]
        if known == [None] * len(cases):
            peers = {p.name: p for p in paper().peers if p.table == "I"}
            known = list(peers[method].psnr[dataset])
    assert shown == [None if k is None else pytest.approx(k, abs=0.00501) for k in known]


def test_the_table_is_there():
    assert {(d, m) for d, m, _ in ROWS} >= {(d, "gaussian-fast") for d in ("CBSD68", "Kodak24")}


def test_commands_and_files_named_in_the_readme_exist():
    block = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S))
    named = set(re.findall(r"^undegrade (\w+)", block, re.M))
    assert named
    assert named <= set(COMMANDS)
    targets = set(re.findall(r"^make (\w+)", block, re.M))
    assert {"demo", "test"} <= targets
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{t}:", makefile, re.M) for t in targets)
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_test_command_is_what_ci_runs():
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    commands = [line for line in script if line and not line.startswith(("#", "set", "cd"))]
    assert commands == ["make test"]


def test_the_page_of_results_is_up_to_date(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["results", "--check"]) == 0
