"""Put trained weights into the package, with what was measured on their card.

    python training/ship.py runs/gaussian-fast/gaussian-fast.safetensors results/gaussian-fast-*.json

The results must be of these very weights (their sha256 is compared). Where the package already ships weights for the
task and variant, the new ones must measure better on average over the cells that both cards hold.

Shipped weights that got a scale head restore as they did, bit for bit, so that they need no results; but their
intervals of pixels must have been measured (training/intervals.py). The weights without the head then only add numbers.

The int8 form of shipped weights (NAME-int8.safetensors, results of undegrade evaluate --draft) may lose at most 0.05 dB
against what the card of the weights says, in every cell. New weights remove the int8 form of those before.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from undegrade.errors import UndegradeError
from undegrade.evaluation.results import Result
from undegrade.weights.card import INT8, Card, read_card
from undegrade.weights.int8 import origin
from undegrade.weights.intervals import Intervals

MOST_LOST = 0.05
"""dB that the int8 form of weights may lose in a cell."""
SHIPPED = Path(__file__).parents[1] / "src" / "undegrade" / "weights"


def measured(results: list[Result], sha256: str) -> dict[str, float]:
    """Mean values by name, e.g. ``"Kodak24 sigma 50 psnr"``, of the results that were made with these weights."""
    numbers: dict[str, float] = {}
    for result in results:
        if result.weights_sha256 != sha256:
            raise UndegradeError("a result was measured with other weights; run undegrade evaluate --weights on these.")
        for cell in result.cells:
            if not cell.complete:
                raise UndegradeError(
                    f"{cell.dataset} {cell.case} was not measured on all images; evaluate without --limit."
                )
            suffix = "+" * result.self_ensemble
            for metric in cell.images[0].values:
                numbers[f"{cell.dataset} {cell.case} {metric}{suffix}"] = round(cell.mean(metric), 4)
            if cell.estimate_error is not None and not result.self_ensemble:
                numbers[f"{cell.dataset} {cell.case} estimate error"] = round(cell.estimate_error, 3)
            if not result.self_ensemble:
                for name, error in cell.estimate_errors.items():
                    numbers[f"{cell.dataset} {cell.case} {name} error"] = round(error, 3)
    return numbers


def gain(new: dict[str, float], old: dict[str, float]) -> float:
    """Mean PSNR difference over the cells that both have, in dB."""
    common = [k for k in new if k.endswith("psnr") and k in old]
    if not common:
        raise UndegradeError("the shipped card has no cell in common with these results; measure the same benchmarks.")
    return sum(new[k] - old[k] for k in common) / len(common)


def same_restorer(weights: Path, others: Path) -> bool:
    """Whether two weights files are the same to the last bit but for scale heads."""
    one, other = (
        {name: tensor for name, tensor in load_file(path).items() if not name.startswith("scale.")}
        for path in (weights, others)
    )
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def ship_int8(weights: Path, card: Card, numbers: dict[str, float], notes: str) -> int:
    """Put the int8 form of shipped weights into the package, if it loses little enough; 1 if it does not."""
    float32 = Card.from_json((SHIPPED / f"{card.name}.json").read_text(encoding="utf-8"))
    if card.started_from != origin(float32):
        raise UndegradeError(f"{weights} was made of other weights than the shipped ones; make it anew.")
    cells = [k for k in numbers if k.endswith("psnr") and k in float32.measured]
    if not cells:
        raise UndegradeError("the shipped card has no cell in common with these results; measure the same benchmarks.")
    lost = {cell: float32.measured[cell] - numbers[cell] for cell in cells}
    worst = max(lost, key=lambda cell: lost[cell])
    print(f"at most {lost[worst]:.3f} dB below float32 ({worst})")
    if lost[worst] > MOST_LOST:
        print(f"not shipped: more than {MOST_LOST} dB are lost")
        return 1
    target = SHIPPED / weights.name
    card = dataclasses.replace(card, measured={**card.measured, **numbers}, notes=notes or card.notes)
    if weights.resolve() != target.resolve():
        shutil.copyfile(weights, target)
    target.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    print(f"shipped {target}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="a safetensors file with its card beside it")
    parser.add_argument("results", type=Path, nargs="*", help="what undegrade evaluate --json wrote for it")
    parser.add_argument("--notes", default="", help="anything a person should know, for the card")
    args = parser.parse_args()
    try:
        return ship(args.weights, args.results, args.notes)
    except (UndegradeError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


def ship(weights: Path, results: list[Path], notes: str) -> int:
    """Put weights into the package if they measure better; 1 if they do not."""
    card = Card.from_json(weights.with_suffix(".json").read_text(encoding="utf-8"))
    numbers = measured([Result.read(path) for path in results], card.restorer_sha256)
    if card.dtype == "int8":
        return ship_int8(weights, card, numbers, notes)
    target = SHIPPED / f"{card.name}.json"
    shipped = Card.from_json(target.read_text(encoding="utf-8")) if target.exists() else None
    if card.scale_head and Intervals.from_dict(card.intervals).pixels is None:
        raise UndegradeError(f"the intervals of {weights} were not measured; run python training/intervals.py first.")
    if shipped is not None and shipped.sha256 == card.sha256:
        # The same weights: more numbers for their card.
        card = dataclasses.replace(shipped, intervals=card.intervals or shipped.intervals)
    elif shipped is not None and shipped.scale_head and not card.scale_head and shipped.restorer_sha256 == card.sha256:
        # What the shipped weights were before they got their head: more numbers for their card.
        card, weights = shipped, target.with_suffix(".safetensors")
        print("the shipped weights have a scale head, and stay")
    elif shipped is not None and shipped.restorer_sha256 == card.restorer_sha256:
        if not same_restorer(weights, target.with_suffix(".safetensors")):
            raise UndegradeError(f"{weights} does not restore as the shipped weights do; train its head again.")
        numbers = {**shipped.measured, **numbers}
        print("the same weights with a scale head; they restore alike")
    elif not results:
        raise UndegradeError("these are new weights; run undegrade evaluate on them and give its results.")
    elif shipped is not None:
        better = gain(numbers, dict(shipped.measured))
        print(f"{better:+.3f} dB on average against the shipped weights")
        if better <= 0:
            print("not shipped: the shipped weights measure at least as well")
            return 1
    card = dataclasses.replace(card, measured={**card.measured, **numbers}, notes=notes or card.notes)
    if weights.resolve() != target.with_suffix(".safetensors").resolve():
        shutil.copyfile(weights, target.with_suffix(".safetensors"))
    target.write_text(card.to_json(), encoding="utf-8")
    print(f"shipped {target.with_suffix('.safetensors')}")
    rounded = SHIPPED / f"{card.name}{INT8}.safetensors"
    if rounded.exists() and read_card(rounded).started_from != origin(card):
        for path in (rounded, rounded.with_suffix(".json")):
            path.unlink()
        print(f"removed {rounded}, which was made of the weights before: make it anew with undegrade train --int8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
