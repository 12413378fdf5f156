"""Write docs/relay.md from the queue and from the cards of the shipped weights: python training/page.py"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from entries import QUEUE, SHIPPED, Entry, read_queue

from undegrade.weights.card import INT8, Card

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "relay.md"

INTRODUCTION = """\
# Training the shipped models

How the weights in the package are trained, on one machine beside all other work. To train a model of your own, see
[Measure and train](train.md#train).

- The **queue** is the list of models to train (`training/queue.toml`, and the table below).
- An **entry** is one model of the queue: its task and variant, its options, and how many pixels it is to see.
- A **run** is the training of one entry, with its folder of saved states. It has no fixed number of steps: it warms up
  and stays at a constant learning rate.
- A **cooldown** is a branch of a run. After every so many pixels the learning rate falls to its floor within some
  minutes, and weights are written; the run itself goes on as it was. They are measured on the held-out images against
  those that the package ships.
- The **relay** (`training/relay.py`) trains the entries one after another, at the lowest priority.

`make train` starts the relay and returns at once. It needs two folders of images, none of them from a benchmark:

    export UNDEGRADE_TRAIN_DATA=IMAGES UNDEGRADE_VAL_DATA=HELD_OUT
    make train            # start, or go on
    make train-status     # what runs, how far each model is, what the last cooldowns brought
    make train-pause      # pause training; make train-resume continues it
    make train-stop       # save and end
    make train-cooldown MINUTES=30    # start a cooldown of the current model now, measure, continue

States, logs and the weights of cooldowns are in `UNDEGRADE_CACHE` (default `~/.cache/undegrade`), folder `relay`;
`UNDEGRADE_TRAIN_THREADS` limits the cores. Without saved states, an entry starts from the shipped weights of its name.
Everything may be killed at any moment: the next `make train` goes on from the newest states, which are five minutes
old at most.

Where the weights of a cooldown are better than the shipped ones, [ship them](train.md#ship). Runs whose names end in
`-scale` [add a scale head](uncertainty.md#add-a-head-to-weights) to shipped weights. After weights were replaced by
better ones, delete the folder of their head's run: a head belongs to its weights. So does an int8 form, which the runs
whose names end in `-int8` make.

How convolutions are computed is measured at the start of a run (`benchmarks/training.py` shows all ways side by side);
a C++ compiler makes training faster. On a GPU: `undegrade train gaussian --data IMAGES --val HELD_OUT --out RUN`, and
likewise for each task; the full variant takes half an hour of a large GPU by estimate.
"""


def number(value: float) -> str:
    """1.5e9 as ``1.5 G``."""
    return f"{value / 1e9:.3g} G" if value >= 1e8 else f"{value / 1e6:.3g} M"


def card_of(name: str) -> Card | None:
    path = SHIPPED / f"{name}.json"
    return Card.from_json(path.read_text(encoding="utf-8")) if path.exists() else None


def row(entry: Entry) -> str:
    """An entry as a line of the table."""
    options = entry.options[: entry.options.index("--licence")] if "--licence" in entry.options else entry.options
    command = f"`{entry.task} --variant {entry.variant} {' '.join(options)}`"
    every = f"{number(entry.cooldown_every)}, {entry.cooldown_minutes:g} min"
    return f"| {entry.name} | {command} | {entry.start} | {number(entry.pixels)} | {every} |"


SHOWN = 8
"""Cases of validation that fit into a line."""


def shipped_row(card: Card) -> str:
    """Shipped weights as a line of the table."""
    pixels = number(card.pixels_seen) + ("" if card.pixels else ", the last run alone")
    seen = {k.removeprefix("validation psnr/"): v for k, v in card.measured.items() if k.startswith("validation psnr/")}
    curve = ", ".join(f"{case} {value:.2f}" for case, value in seen.items()) or "-"
    if len(seen) > SHOWN:
        curve = f"{sum(seen.values()) / len(seen):.2f} in the mean of {len(seen)} cases"
    return (
        f"| {card.name} | {pixels} | {card.minutes / 60:.1f} | {card.hardware} | {card.started_from or '-'} | {curve} |"
    )


def render() -> str:
    """The whole page."""
    stems = sorted(path.stem for path in SHIPPED.glob("*.json") if not path.stem.endswith(INT8))
    cards = [c for stem in stems if (c := card_of(stem)) is not None]
    lines = [
        INTRODUCTION,
        "## Queue",
        "",
        "One entry is trained after another, in this order, unless `share` in the file says otherwise. An entry whose",
        "task this version does not have is skipped. G stands for a billion pixels, M for a million.",
        "",
        "| run | `undegrade train` | from | pixels | cooldown |",
        "|:--|:--|:--|--:|:--|",
        *map(row, read_queue(QUEUE)),
        "",
        "## Shipped",
        "",
        "Hours are those of the last run; pixels are its own and those of the runs that its weights came from.",
        "Validation: dB on held-out pictures while training.",
        "",
        "| weights | pixels seen | hours | machine | started from | validation |",
        "|:--|--:|--:|:--|:--|:--|",
        *map(shipped_row, cards),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    print(f"-> {PAGE}")
