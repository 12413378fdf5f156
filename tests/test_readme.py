"""The first page's commands set up, run and test; the numbers of README and docs/models.md are the cards'."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import TEXTS, rows
from undegrade.cli import main
from undegrade.evaluation.paper import paper
from undegrade.train.flops import multiply_adds_per_pixel
from undegrade.weights.card import Card, load_weights, shipped_cards

ROOT = Path(__file__).parents[1]


def test_the_first_two_commands_are_the_demo_and_the_tests():
    first = re.search(r"```sh\n(.*?)```", TEXTS["README.md"], re.S)
    assert first
    commands = [line.split("#")[0].strip() for line in first[1].splitlines()]
    assert commands == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:`|^)make ([\w-]+)", "\n".join(TEXTS.values()), re.M))
    assert named >= {"demo", "test", "docs"}
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_page_of_results_is_up_to_date(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["results", "--check"]) == 0


CARDS = {card.name: card for card in shipped_cards()}


def known_psnr(method: str, dataset: str, case: str) -> float | None:
    """PSNR of a shipped model, of the paper, or of another method of which the paper file knows."""
    if (card := CARDS.get(method.removesuffix("+"))) is not None:
        value = card.measured.get(f"{dataset} {case} psnr{'+' * method.endswith('+')}")
        return None if value is None else float(value)
    for name in ("I", "IV", "V", "VII"):
        if (value := paper().value(name, "psnr", method, dataset, case)) is not None:
            return value
    for peer in paper().peers:
        cases = paper().tables[peer.table].cases if peer.table else ("real",)
        if peer.name == method and dataset in peer.psnr and case in cases:
            return peer.psnr[dataset][cases.index(case)]
    return None


def shown_psnr(text: str) -> Iterator[tuple[str, str, str, str]]:
    """(dataset, method, case, number) of the tables whose first two columns are dataset and method."""
    head: list[str] = []
    for cells in rows(text):
        if cells[:2] == ["dataset", "method"]:
            head = [cell.replace("σ", "sigma") for cell in cells]
        elif set("".join(cells)) <= set(":-"):
            continue
        elif head and len(cells) == len(head) and cells[0] != "dataset":
            method = cells[1].split(",")[0]
            yield from ((cells[0], method, case, number) for case, number in zip(head[2:], cells[2:], strict=True))
        else:
            head = []


SHOWN = [cell for name in ("README.md", "docs/models.md") for cell in shown_psnr(TEXTS[name])]


@pytest.mark.parametrize(("dataset", "method", "case", "number"), SHOWN)
def test_psnr_is_what_was_measured_or_printed(dataset, method, case, number):
    known = known_psnr(method, dataset, case)
    assert (number, known) == ("-", None) or float(number) == pytest.approx(known, abs=0.00501)


def test_every_shipped_model_has_its_numbers_on_its_card():
    shown = {(method, dataset) for dataset, method, *_ in SHOWN}
    measured = {(name, key.split()[0]) for name, card in CARDS.items() for key in card.measured if key.endswith("psnr")}
    others = {("gaussian-fast", "CC15"), ("jpeg-fast", "Classic5")}  # measured on another task's pictures
    assert {one for one in measured if "validation" not in one} - others <= shown


def section(name: str) -> str:
    match = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", TEXTS["docs/models.md"], re.S | re.M)
    assert match, f"docs/models.md has no card {name}"
    return match[1]


@pytest.mark.parametrize("card", shipped_cards(), ids=lambda card: card.name)
def test_cost_and_training_on_a_models_card(card: Card):
    text = section(card.name)
    model, _ = load_weights(ROOT / "src" / "undegrade" / "weights" / f"{card.name}.safetensors")
    architecture = model.architecture
    parameters = sum(p.numel() for part in (model.encoder, model.restorer) for p in part.parameters())
    assert f"{parameters:,} parameters" in text
    cost = multiply_adds_per_pixel(architecture) / 1e6
    assert f"{cost:.3f} MMAC" in text
    if architecture.scale > 1:
        assert f"{cost / architecture.scale**2:.3f} per pixel of the result" in text
    assert "on a CPU" in text
    assert f"{card.data['images']} photographs of {card.data['megapixels']} megapixels" in TEXTS["docs/models.md"]
    minutes, steps = (re.search(p, text) for p in (r"(\d+) minutes on a CPU", r"([\d,]+) steps"))
    assert minutes
    assert steps
    # The card is of the last training; its notes tell of those before.
    assert int(minutes[1]) >= round(card.minutes)
    assert int(steps[1].replace(",", "")) >= card.steps
    row = next(row for row in rows(TEXTS["README.md"]) if f"`{card.task}`" in row[0].split(", "))
    assert minutes[1] in re.findall(r"\d+", row[-1])


@pytest.mark.parametrize(
    "name", ["README.md", *(f"docs/{page}.md" for page in ("models", "latent", "notebook", "paper"))]
)
def test_pages_with_our_numbers_say_where_the_models_were_trained(name):
    assert "**trained on a CPU**" in " ".join(TEXTS[name].split())
