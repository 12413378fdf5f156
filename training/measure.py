"""Whether cooled weights beat the shipped ones: PSNR on the held-out pictures, on the cases that training watches.

    python training/measure.py WEIGHTS VAL [--shipped WEIGHTS] [--json FILE]

WEIGHTS is a safetensors file with its card beside it. The weights that the package ships for the same task and variant
are measured in the same way (none where none are shipped). Of the int8 form of weights, what it loses against them in
float32 is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from undegrade.atomic import replacing
from undegrade.errors import UndegradeError
from undegrade.model.int8_tensors import restored
from undegrade.model.vdir import VDIR
from undegrade.tasks import TASKS
from undegrade.train.validate import Validation, centre_crops, own_crops
from undegrade.weights.card import INT8, Card, find_weights, load_weights, read_card
from undegrade.weights.int8 import read_int8_file

INVISIBLE = 55.0
SHIPPED = Path(__file__).parents[1] / "src" / "undegrade" / "weights"


def psnr(weights: Path, val: Path) -> tuple[dict[str, float], dict[str, object]]:
    """PSNR in dB by case, and the facts of the card that say how far training went."""
    model, card = _model(weights)
    cases = TASKS[card.task].validation
    side = 256 - 256 % max(d.scale for d in cases.values())
    channels = model.architecture.channels
    own = own_crops(TASKS[card.task], val, channels, side, "cpu")
    rows = Validation(centre_crops(val, channels, side, "cpu"), cases, estimated=False, own=own).measure(model)
    facts = {
        "name": card.name,
        "int8": card.dtype == "int8",
        "pixels": card.pixels,
        "minutes": card.minutes,
        "sha256": card.sha256,
    }
    return {case: round(rows[f"psnr/{case}"], 4) for case in cases}, facts


def _model(weights: Path) -> tuple[VDIR, Card]:
    """A model that computes as its file says: an int8 file's in int8."""
    if not weights.stem.endswith(INT8):
        return load_weights(weights)
    card = read_card(weights)
    model, own = load_weights(find_weights(card.task, (card.variant,)))
    return restored(model, read_int8_file(weights, own).tensors), card


def compare(weights: Path, val: Path, shipped: Path | None = None) -> dict[str, object]:
    """Both, and by how much the new weights are ahead in each case and on average (None without shipped ones)."""
    new, facts = psnr(weights, val)
    against = shipped or SHIPPED / f"{facts['name']}.safetensors"
    old = psnr(against, val)[0] if against.exists() else None
    gains = None if old is None else {c: round(_seen(new[c]) - _seen(old[c]), 4) for c in new if c in old}
    mean = None if not gains else round(sum(gains.values()) / len(gains), 4)
    return {**facts, "psnr": new, "shipped": old, "gain": gains, "mean_gain": mean}


def _seen(value: float) -> float:
    """PSNR, of clean pictures at most what nobody sees: 70 instead of 60 dB is no gain."""
    return min(value, INVISIBLE)


def sentence(found: dict[str, object]) -> str:
    """For people: what was found."""
    cases = "  ".join(f"{case} {value:.2f}" for case, value in found["psnr"].items())  # type: ignore[attr-defined]
    if found["mean_gain"] is None:
        return f"{found['name']}: {cases} dB; none are shipped to compare with"
    gains = "  ".join(f"{case} {value:+.2f}" for case, value in found["gain"].items())  # type: ignore[attr-defined]
    if found["int8"]:
        mean = f"{found['mean_gain']:+.3f} dB"
        return f"{found['name']} in int8: {cases} dB; beside float32 {mean} on average ({gains})"
    verdict = "beat" if found["mean_gain"] > 0 else "do not beat"  # type: ignore[operator]
    mean = f"{found['mean_gain']:+.3f} dB"
    return f"{found['name']}: {cases} dB; the new weights {verdict} the shipped ones: {mean} on average ({gains})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the safetensors file")
    parser.add_argument("val", type=Path, help="folder of held-out pictures")
    parser.add_argument("--shipped", type=Path, help="compare with these instead")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what is found here as well")
    args = parser.parse_args()
    found = compare(args.weights, args.val, args.shipped)
    print(sentence(found))
    if args.json:
        with replacing(args.json) as file:
            file.write(json.dumps(found, indent=1).encode())
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UndegradeError as error:
        sys.exit(f"measure.py: {error}")
