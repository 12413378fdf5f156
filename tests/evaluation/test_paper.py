"""paper.toml is whole, consistent, and covers what the tasks measure."""

import re
from pathlib import Path

import pytest

from undegrade.data.catalogue import DATASETS
from undegrade.evaluation.calibrate import BASELINES
from undegrade.evaluation.paper import paper
from undegrade.tasks import TASKS

ALL = [
    (name, metric, method, dataset, row)
    for name, table in paper().tables.items()
    for metric, methods in table.values.items()
    for method, cells in methods.items()
    for dataset, row in cells.items()
]


def test_all_eleven_tables_are_there() -> None:
    assert list(paper().tables) == ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI"]


def test_every_row_has_a_value_per_case_in_a_possible_range() -> None:
    for name, metric, _, _, row in ALL:
        assert len(row) == len(paper().tables[name].cases)
        low, high = (15, 45) if metric == "psnr" else (0.4, 1)
        assert all(v is None or low < v < high for v in row), (name, row)


def test_more_damage_never_scores_better() -> None:
    """Catches digits swapped in typing: within a row, values follow the strength of the degradation."""
    for name, metric, method, dataset, row in ALL:
        if (name, metric, method, dataset) == ("VI", "ssim", "Guo et al.", "Urban100"):
            continue  # printed so: 0.9710 at QF 10
        values = [v for v in row if v is not None]
        if name in ("I", "IV", "XI"):
            assert values == sorted(values, reverse=True), (name, method, dataset)
        if name in ("VI", "VII"):
            assert values == sorted(values), (name, method, dataset)


def test_the_gains_that_the_paper_prints() -> None:
    """Tables VII and XI print the differences of their own rows."""
    printed = {
        ("VII", "VDIR", "JPEG", "LIVE1"): [1.88, 1.97, 2.01, 2.04, 2.05, 2.04, 2.02, 1.94],
        ("VII", "VDIR", "JPEG", "Urban100"): [2.87, 3.09, 3.12, 3.04, 2.94, 2.85, 2.59, 1.91],
        ("XI", "VDIR (FFDNet)", "FFDNet", "Urban100"): [0.29, 0.44],
    }
    for (name, better, worse, dataset), gains in printed.items():
        table = paper().tables[name]
        for case, gain in zip(table.cases, gains, strict=True):
            a, b = (table.value("psnr", m, dataset, case) for m in (better, worse))
            assert a is not None
            assert b is not None
            assert a - b == pytest.approx(gain, abs=0.0051)


def test_numbers_that_several_tables_print_agree() -> None:
    for case in ("sigma 30", "sigma 50"):
        assert paper().value("I", "psnr", "FFDNet", "Urban100", case) == paper().value(
            "XI", "psnr", "FFDNet", "Urban100", case
        )
    all_terms = "restoration, KL, reconstruction, adversarial"
    assert paper().value("IX", "psnr", all_terms, "CBSD68", "sigma 30") == paper().value(
        "I", "psnr", "VDIR", "CBSD68", "sigma 30"
    )
    assert paper().value("X", "psnr", "all", "DND", "real") == paper().value("III", "psnr", "VDIR", "DND", "real")


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda t: t.name)
def test_every_benchmark_of_a_task_has_the_papers_number(task) -> None:
    for b in task.benchmarks:
        if b.table:
            for metric in task.protocol.metrics:
                assert paper().value(b.table, metric, "VDIR", b.dataset.name, b.case) is not None, b


def test_every_printed_cell_of_the_reproduced_tables_is_a_benchmark() -> None:
    measured = {(b.table, b.dataset.name, b.case) for t in TASKS.values() for b in t.benchmarks}
    for name in ("I", "IV", "V", "VI", "VII"):
        table = paper().tables[name]
        for dataset in table.values["psnr"]["VDIR"]:
            assert {(name, dataset, case) for case in table.cases} <= measured


def test_missing_values_are_none() -> None:
    assert paper().value("I", "psnr", "UNLNet", "Kodak24", "sigma 10") is None
    assert paper().value("I", "ssim", "VDIR", "Kodak24", "sigma 10") is None
    assert paper().value("none", "psnr", "VDIR", "Kodak24", "sigma 10") is None
    assert paper().value("I", "psnr", "VDIR", "Kodak24", "sigma 11") is None


def test_the_papers_own_discrepancy_is_marked_and_nothing_else() -> None:
    marked = {
        (b.table, m, b.dataset.name, b.case)
        for t in TASKS.values()
        for b in t.benchmarks
        for m in (*BASELINES, "VDIR")
        if paper().discrepancy(b.table, m, b.dataset.name, b.case)
    }
    assert marked == {("IV", "Bicubic", d, "x2 g_ani") for d in ("BSD100", "Urban100")}


def test_peers_name_their_source_and_fit_their_table() -> None:
    known = {d.name for d in DATASETS}
    for peer in paper().peers:
        assert peer.source
        assert set(peer.psnr) <= known
        cases = paper().tables[peer.table].cases if peer.table else ("real",)
        assert all(len(row) == len(cases) for row in peer.psnr.values()), peer


def test_no_table_number_is_typed_elsewhere() -> None:
    """The paper's and the peers' values live in paper.toml alone."""
    numbers = {f"{v:.2f}" for _, metric, _, _, row in ALL if metric == "psnr" for v in row if v is not None}
    source = Path(__file__).parents[2] / "src" / "undegrade"
    for path in source.rglob("*.py"):
        typed = set(re.findall(r"(?<![\d.])\d\d\.\d\d(?!\d)", path.read_text(encoding="utf-8")))
        assert not typed & numbers, path
