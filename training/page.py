"""Write docs/relay.md from the queue and from the cards of the shipped weights: python training/page.py"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from entries import QUEUE, SHIPPED, Entry, read_queue

from undegrade.weights.card import Card

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "relay.md"

INTRODUCTION = """\
# Training

This page is made by `python training/page.py` from `training/queue.toml` and the cards of the shipped weights.

`make train` starts the relay, which trains the models below one after another at the lowest priority, beside all other
work, and returns at once. It needs two folders of images, none of them from a benchmark:

    export UNDEGRADE_TRAIN_DATA=IMAGES UNDEGRADE_VAL_DATA=HELD_OUT
    make train            # start, or go on
    make train-status     # what runs, how far each model is, what the last cooldowns brought
    make train-pause      # pause training; make train-resume continues it
    make train-stop       # save and end
    make train-cooldown MINUTES=30    # start a cooldown of the current model now, measure, continue

States, logs and cooled weights are in `UNDEGRADE_CACHE` (default `~/.cache/undegrade`), folder `relay`;
`UNDEGRADE_TRAIN_THREADS` limits the cores. Without saved states, an entry starts from the shipped weights of its name.
Everything may be killed at any moment: the next `make train` goes on from
the newest states, which are five minutes old at most.

A run has no fixed number of steps. It warms up and stays at a constant rate; after every so many pixels a branch of it
cools down: its rate falls to the floor within some minutes, and weights are written. They are measured on the held-out
images against those that the package ships. Where they are better, measure the benchmarks and ship them:

```sh
undegrade evaluate TASK --variant V --weights FILE --benchmarks BENCHMARKS --json results/NAME.json
python training/ship.py FILE results/NAME.json && undegrade results && python training/page.py
```

Runs whose names end in `-scale` add a [scale head](uncertainty.md) to shipped weights. Measure its intervals before you
ship it; no benchmark is needed, since the restoration does not change. After the weights were replaced by better ones,
delete the folder of their head's run: a head belongs to its weights.

```sh
python training/intervals.py FILE HELD_OUT
python training/ship.py FILE && python training/page.py
```

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


def shipped_row(card: Card) -> str:
    """Shipped weights as a line of the table."""
    pixels = number(card.pixels_seen) + ("" if card.pixels else ", the last run alone")
    seen = {k.removeprefix("validation psnr/"): v for k, v in card.measured.items() if k.startswith("validation psnr/")}
    curve = ", ".join(f"{case} {value:.2f}" for case, value in seen.items()) or "-"
    return (
        f"| {card.name} | {pixels} | {card.minutes / 60:.1f} | {card.hardware} | {card.started_from or '-'} | {curve} |"
    )


def render() -> str:
    """The whole page."""
    cards = [c for path in sorted(SHIPPED.glob("*.json")) if (c := card_of(path.stem)) is not None]
    lines = [
        INTRODUCTION,
        "## Queue",
        "",
        "An entry whose task this version does not have is skipped until it has.",
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
