"""Put trained weights into the package, with what was measured on their card.

    python training/ship.py runs/gaussian-fast/gaussian-fast.safetensors results/gaussian-fast-*.json

The results must be of these very weights (their sha256 is compared). Where the package already ships weights for the
task and variant, the new ones must measure better on average over the cells that both cards hold.

Shipped weights that got a scale head restore as they did, bit for bit, so that they need no results; but their
intervals of pixels must have been measured (training/intervals.py). The weights without the head then only add numbers.
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
from undegrade.weights.card import Card
from undegrade.weights.intervals import Intervals

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
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
