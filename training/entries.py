"""The entries of ``queue.toml``, and where each stands: read from what lies on the disk, nothing else is remembered."""

from __future__ import annotations

import json
import math
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from undegrade.weights.card import Card
from undegrade.weights.int8 import origin

QUEUE = Path(__file__).with_name("queue.toml")
SHIPPED = Path(__file__).parents[1] / "src" / "undegrade" / "weights"


@dataclass(frozen=True)
class Entry:
    """One model to train; ``queue.toml`` explains the fields."""

    name: str
    task: str
    variant: str
    start: str
    options: tuple[str, ...]
    pixels: float
    cooldown_every: float
    cooldown_minutes: float
    share: float

    @property
    def scale_head(self) -> bool:
        """Whether a scale head is trained for the shipped weights of :attr:`start`."""
        return "--scale-head" in self.options

    @property
    def int8(self) -> bool:
        """Whether the shipped weights of :attr:`start` are fine-tuned for int8."""
        return "--int8" in self.options


@dataclass(frozen=True)
class Standing:
    """Where an entry stands.

    Attributes:
        pixels: seen until the newest state, by this run and by those of the same name that it goes on from.
        before: how many of them by those.
        seconds: spent by this run.
        cooling: a cooldown that was begun and has no weights yet, or None.
        unmeasured: cooled weights without a result.
        results: of the cooldowns, oldest first, as ``measure.py`` wrote them.
    """

    pixels: int
    before: int
    seconds: float
    cooling: Path | None
    unmeasured: tuple[Path, ...]
    results: tuple[dict[str, Any], ...]


def read_queue(path: Path = QUEUE) -> list[Entry]:
    """The entries in order.

    Raises:
        ValueError: not TOML, a field is missing, unknown or impossible, or two entries have the same name.
    """
    entries = []
    for table in tomllib.loads(path.read_text()).get("run", []):
        try:
            given = {"start" if k == "from" else k: v for k, v in table.items()}
            entry = Entry(**given | {"options": tuple(given.get("options", ()))})
        except TypeError as error:
            name = table.get("name", table)
            raise ValueError(f"{path}: the entry {name} has missing or unknown fields ({error})") from None
        if not (entry.pixels > 0 and entry.cooldown_every > 0 and entry.cooldown_minutes > 0 and entry.share >= 0):
            raise ValueError(f"{path}: the numbers of {entry.name} are not valid")
        entries.append(entry)
    if len({entry.name for entry in entries}) != len(entries):
        raise ValueError(f"{path}: two entries have the same name")
    return entries


def standing(entry: Entry, runs: Path, shipped: Path | None = None) -> Standing:
    """Where an entry stands.

    Args:
        entry: the entry.
        runs: the folder of all runs; this entry's bears its name.
        shipped: the folder of the shipped weights: a run without states goes on from those of its name.
    """
    folder = runs / entry.name
    pixels, before, seconds = 0, 0, 0.0
    states = sorted(folder.glob("state-*"))
    if states:
        meta = _meta(states[-1])
        pixels, before, seconds = meta.get("pixels", 0), _before(entry, meta), meta["seconds"]
    elif entry.scale_head and _has_head(entry, shipped or SHIPPED):
        before = int(entry.pixels)  # it was trained elsewhere, and shipped
    elif entry.int8 and _has_int8(entry, shipped or SHIPPED):
        before = int(entry.pixels)
    elif (card := (shipped or SHIPPED) / f"{entry.name}.json").exists() and entry.start in ("nothing", entry.name):
        before = Card.from_json(card.read_text(encoding="utf-8")).pixels_seen
    cooling, unmeasured, results = None, [], []
    for branch in sorted(folder.glob("cooldown-????????")):
        weights = sorted(branch.glob("*.safetensors"))
        if not weights:
            cooling = branch
        elif not (branch / "result.json").exists():
            unmeasured.append(weights[0])
        else:
            meta = _meta(sorted(branch.glob("state-*"))[-1])
            seen = {"stable_pixels": meta["cooldown"]["pixels"] + _before(entry, meta)}
            results.append(json.loads((branch / "result.json").read_text()) | seen)
    return Standing(pixels + before, before, seconds, cooling, tuple(unmeasured), tuple(results))


def _has_head(entry: Entry, shipped: Path) -> bool:
    card = shipped / f"{entry.start}.json"
    return card.exists() and bool(Card.from_json(card.read_text(encoding="utf-8")).scale_head)


def _has_int8(entry: Entry, shipped: Path) -> bool:
    """Whether an int8 form of the very weights is shipped."""
    cards = [shipped / f"{entry.start}{end}.json" for end in ("", "-int8")]
    if not all(card.exists() for card in cards):
        return False
    of, own = (Card.from_json(card.read_text(encoding="utf-8")) for card in cards)
    return own.started_from == origin(of)


def _meta(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((state / "manifest.json").read_text())["meta"]
    return found


def _before(entry: Entry, meta: dict[str, Any]) -> int:
    """What the weights had seen that a run started from, if they were of the same name; others are another model."""
    own = str(meta.get("started_from", "")).startswith(f"{entry.name} ")
    return int(meta.get("pixels_before", 0)) if own else 0


def next_cooldown(entry: Entry, found: Standing) -> float:
    """How many pixels the entry has to see before it is cooled down next; inf when it is finished."""
    last = max((r["stable_pixels"] for r in found.results), default=found.before)
    if last >= entry.pixels:
        return math.inf
    return min((last // entry.cooldown_every + 1) * entry.cooldown_every, entry.pixels)


def next_entry(entries: list[Entry], states: dict[str, Standing], aside: set[str]) -> Entry | None:
    """Whose turn it is: of those with a share the one that had the least of it, else the first that is not finished.

    Args:
        entries: in the queue's order.
        states: by name.
        aside: names to leave out for now.
    """
    open_ = [e for e in entries if e.name not in aside and next_cooldown(e, states[e.name]) < math.inf]
    sharing = [e for e in open_ if e.share > 0]
    if sharing:
        return min(sharing, key=lambda e: states[e.name].seconds / e.share)
    return open_[0] if open_ else None


def initial_weights(entry: Entry, runs: Path, shipped: Path | None = None) -> Path | None:
    """What the entry starts from, None for nothing. Of its own weights the shipped ones: they measured best. A scale
    head and an int8 form are for shipped weights only.

    Raises:
        LookupError: those weights are not there yet.
    """
    name = entry.name if entry.start == "nothing" else entry.start
    others = name != entry.name and not entry.scale_head and not entry.int8
    cooled = sorted((runs / name).glob("cooldown-????????/*.safetensors")) if others else []
    weights = (shipped or SHIPPED) / f"{name}.safetensors"
    if cooled:
        return cooled[-1]
    if weights.exists():
        return weights
    if entry.start == "nothing":
        return None
    raise LookupError(f"{entry.name} waits for weights of {entry.start}: none are shipped, none are cooled down")
