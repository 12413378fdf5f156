"""The page of results is a function of the files: same files, same bytes."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest

from tests.evaluation.known_results import FULL, cell
from undegrade.errors import UndegradeError
from undegrade.evaluation.evaluate import Cell, Measured
from undegrade.evaluation.paper import paper
from undegrade.evaluation.results import Result, comparison, merged, page, read_folder
from undegrade.tasks import TASKS
from undegrade.weights.card import shipped_cards


def section(text: str, task: str) -> str:
    return next(part for part in text.split("\n## ") if part.startswith(f"{task}\n"))


def test_files_hold_everything(tmp_path: Path) -> None:
    FULL.write(tmp_path / "new" / "full.json")
    assert read_folder(tmp_path / "new") == [FULL]


def test_the_psnr_of_equal_images_is_kept_without_leaving_json(tmp_path: Path) -> None:
    image = dataclasses.replace(FULL.cells[0].images[0], values={"psnr": math.inf}, bicubic={"psnr": math.inf})
    equal = dataclasses.replace(FULL, cells=(dataclasses.replace(FULL.cells[0], images=(image,)),))
    equal.write(tmp_path / "equal.json")
    assert "Infinity" not in (tmp_path / "equal.json").read_text()
    assert Result.read(tmp_path / "equal.json") == equal


def test_the_page_shows_ours_beside_the_papers() -> None:
    gaussian = section(page([FULL], TASKS, paper()), "gaussian")
    lines = [[c.strip() for c in line.strip("|").split("|")] for line in gaussian.splitlines() if "|" in line]
    header = next(line for line in lines if "ours: full" in line)
    row = next(line for line in lines if line[:2] == ["CBSD68", "sigma 10"])
    shown = dict(zip(header, row, strict=True))
    assert shown["ours: full"] == "36.50"
    assert shown["VDIR"] == "36.34"
    assert shown["full − VDIR"] == "+0.16"
    assert "29.00 (2)" in gaussian  # only the first two images
    assert "weights `0123456789ab`, 13 s on a CPU, PyTorch 2" in gaussian
    assert f"- full on {', '.join(dict.fromkeys(c.dataset for c in FULL.cells))}: weights" in gaussian
    assert "Mean error of the estimated noise level, 8-bit levels" in gaussian


def test_each_number_of_the_universal_model_has_a_table_and_old_files_are_read(tmp_path: Path) -> None:
    errors = {"noise level": 1.5, "JPEG quality": 4.0}
    images = (Measured("a", {"psnr": 30.0}, estimate_errors=errors), Measured("b", {"psnr": 32.0}))
    ours = dataclasses.replace(
        FULL, task="universal", variant="wide", cells=(Cell("", "CBSD68", "sigma 10", images, True),)
    )
    ours.write(tmp_path / "new.json")
    assert Result.read(tmp_path / "new.json") == ours
    universal = section(page([ours], TASKS, paper()), "universal")
    for title, value in (("noise level, 8-bit levels", "1.50"), ("JPEG quality", "4.00")):
        found = universal.partition(f"### Mean error of the estimated {title}")[2].partition("###")[0]
        assert re.search(rf"CBSD68 +\| sigma 10 +\| +{value} ", found)
    assert "estimated grain" not in universal  # nobody knew it
    written = json.loads((tmp_path / "new.json").read_text())
    assert written["cells"][0].pop("mean_estimate_errors") == errors
    for image in written["cells"][0]["images"]:
        del image["estimate_errors"]
    (tmp_path / "old.json").write_text(json.dumps(written))
    assert Result.read(tmp_path / "old.json").cells[0].estimate_errors == {}


def test_the_page_says_on_what_the_weights_were_trained() -> None:
    (card,) = (c for c in shipped_cards() if c.name == "gaussian-fast")
    ours = dataclasses.replace(FULL, weights_sha256=card.restorer_sha256)
    assert f"weights `{card.restorer_sha256[:12]}` (trained on x86_64 CPU, 1 thread), 13 s on a CPU" in page(
        [ours], TASKS, paper(), [card]
    )


def test_the_page_holds_every_task_the_peers_and_the_papers_discrepancy() -> None:
    text = page([], TASKS, paper())
    for task in TASKS.values():
        assert "Not measured yet." in section(text, task.name)
    assert "36.49 (est.)" in section(text, "gaussian")
    assert "paper's own discrepancy" in section(text, "sr-x2")
    assert "paper's own discrepancy" not in section(text, "sr-x4")
    assert "37.63" in section(text, "real")
    assert "*(est.)* marks a value that is known only roughly" in text
    assert section(text, "jpeg-y").count("0.9710 is as printed") == 1


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    plus = dataclasses.replace(FULL, self_ensemble=True)
    fast = dataclasses.replace(FULL, variant="fast", weights_sha256="f" * 64)
    for name, result in (("z", FULL), ("b", plus), ("a", fast)):
        result.write(tmp_path / f"{name}.json")
    first, second = (page(read_folder(tmp_path), TASKS, paper()) for _ in range(2))
    assert first == second
    assert first.index("ours: full ") < first.index("ours: full+") < first.index("ours: fast")


def test_an_evaluation_may_be_made_in_parts() -> None:
    parts = [dataclasses.replace(FULL, cells=(c,)) for c in FULL.cells]
    (whole,) = merged(parts, ["full"])
    assert whole.cells == FULL.cells
    with pytest.raises(UndegradeError, match="two results"):
        merged([FULL, parts[0]], ["full"])
    with pytest.raises(UndegradeError, match="different weights"):
        merged([parts[0], dataclasses.replace(parts[1], weights_sha256="0" * 64)], ["full"])


@pytest.mark.parametrize("text", ["{", "[]", '{"task": "gaussian"}', '{"cells": [1]}'])
def test_other_files_are_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(UndegradeError, match=r"other\.json"):
        read_folder(tmp_path)


def test_a_missing_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match="undegrade evaluate --json"):
        read_folder(tmp_path / "none")


def test_models_are_compared_row_by_row_with_the_papers() -> None:
    def result(psnr: float, *, complete: bool = True) -> Result:
        return dataclasses.replace(FULL, cells=(cell("CBSD68", "sigma 30", psnr, complete=complete),))

    text = comparison("IX", {"restoration": result(30.5), "two-stage": result(30.25)}, paper())
    lines = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if "|" in line]
    assert lines[0] == ["", "CBSD68, sigma 30: ours", "paper", "diff."]
    rows = {line[0]: line[1:] for line in lines[2:]}
    assert rows["restoration"] == ["30.50", "30.47", "+0.03"]
    assert rows["two-stage"] == ["30.25", "-", "-"]  # not a row of the paper's
    assert rows["restoration, KL, reconstruction"] == ["-", "30.56", "-"]  # not measured
    assert "first 2 images only" not in text
    assert "first 2 images only" in comparison("IX", {"restoration": result(30, complete=False)}, paper())
    with pytest.raises(UndegradeError, match="no table 'XX'"):
        comparison("XX", {}, paper())


def test_a_comparison_has_a_column_for_each_dataset_and_case() -> None:
    measured = dataclasses.replace(FULL, cells=(cell("Urban100", "sigma 30", 30.0), cell("Urban100", "sigma 50", 28.0)))
    text = comparison("XI", {"VDIR (FFDNet)": measured}, paper())
    assert [t in text for t in ("30.82", "-0.82", "28.49", "-0.49", "30.53")] == [True] * 5
