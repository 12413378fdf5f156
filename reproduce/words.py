"""What stands for the words in braces of a command: folders, weights, and what restricts a measurement."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schema import Experiment

import undegrade
from undegrade.data.catalogue import DATASETS
from undegrade.errors import UndegradeError

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
SHIPPED = Path(undegrade.__file__).resolve().parent / "weights"

FOLDERS = {
    "data": "DATA, the folder of the benchmark sets, after the name",
    "train": "--train DIR, a folder of training images",
    "val": "--val DIR, a folder of held-out images",
    "sidd": "--sidd DIR, the folder of SIDD-Medium",
}
"""The folders that can be given, and how."""

_WORD = re.compile(r"\{([^}]+)\}")
_SETS = {dataset.folder for dataset in DATASETS}

Value = str | list[str]
"""One word, or none or several where a word of a template is nothing but braces."""


@dataclass(frozen=True)
class Given:
    """What the command line says. Every field has the name of its option.

    Attributes:
        out: folder for all that is written.
        data, train, val, sidd: folders.
        weights: files, or names of shipped weights; they take the places of ``{weights:NAME}`` in order.
        datasets, cases, limit: restrict what is measured.
        steps, settle, variant, recipe, runs: of an ablation.
        extra: what follows ``--``.
    """

    out: Path
    data: Path | None = None
    train: Path | None = None
    val: Path | None = None
    sidd: Path | None = None
    weights: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    limit: int | None = None
    steps: int | None = None
    settle: int | None = None
    variant: str | None = None
    recipe: str | None = None
    runs: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


class Words(dict[str, Value]):
    """The value of each word in braces.

    Attributes:
        used: the fields of :class:`Given` that were asked for.
    """

    def __init__(self, experiment: Experiment, given: Given) -> None:
        """Take the weights' places.

        Raises:
            UndegradeError: more weights than places, or weights and a training of new ones.
        """
        super().__init__(out=str(given.out), here=shown(HERE), results=shown(RESULTS))
        self._name, self._given = experiment.name, given
        # DATA is always welcome: what is the same in every command need not be left out.
        self.used = {"out", "data"}
        places = [word for word in words_of(*experiment.commands) if word.startswith("weights:")]
        own = [_weights(text) for text in given.weights]
        if trains(experiment, given):
            if own:
                raise UndegradeError("--weights measures weights that are there, --train makes new ones; give one.")
            own = [str(given.out / "training" / "*.safetensors")]
        if len(own) > len(places):
            raise UndegradeError(f"{self._name} measures {len(places)} models; give no more --weights than that.")
        if places:
            self.used.add("weights")
        self.update(zip(places, own, strict=False))

    def __missing__(self, word: str) -> Value:
        kind, _, name = word.partition(":")
        if kind in ("weights", "shipped"):
            return shown(SHIPPED / f"{name}.safetensors")
        if word in _SETS:
            root = Path(self._folder("data"))
            inside = root / "test" / word
            return str(inside if inside.is_dir() and not (root / word).is_dir() else root / word)
        if word == "subset":
            return [*self._list("datasets"), *self._list("cases"), *self._limit()]
        if word == "limit":
            return self._limit()
        if word in FOLDERS:
            return self._folder(word)
        raise KeyError(word)

    def _folder(self, name: str) -> str:
        self.used.add(name)
        folder: Path | None = getattr(self._given, name)
        if folder is None:
            raise UndegradeError(f"{self._name} needs {FOLDERS[name]}.")
        return str(folder)

    def _list(self, name: str) -> list[str]:
        self.used.add(name)
        values: tuple[str, ...] = getattr(self._given, name)
        return [f"--{name}", *values] if values else []

    def _limit(self) -> list[str]:
        self.used.add("limit")
        return [] if self._given.limit is None else ["--limit", str(self._given.limit)]


def fill(template: str, words: Mapping[str, Value]) -> tuple[str, ...]:
    """The words of a command."""
    argv: list[str] = []
    for token in shlex.split(template):
        whole = _WORD.fullmatch(token)
        value = words[whole[1]] if whole else _WORD.sub(lambda match: str(words[match[1]]), token)
        argv += value if isinstance(value, list) else [value]
    return tuple(argv)


def words_of(*templates: str) -> list[str]:
    """The words in braces, each once, in order."""
    return list(dict.fromkeys(word for template in templates for word in _WORD.findall(template)))


def trains(experiment: Experiment, given: Given) -> bool:
    """Whether an experiment that measures shipped weights is to train its own first."""
    return bool(experiment.training) and (given.train is not None or given.val is not None)


def needs(experiment: Experiment) -> tuple[list[str], list[str]]:
    """Names of the folders that an experiment must be given, and of those that it can make use of besides."""
    ablation = experiment.ablation
    always = list(experiment.commands)
    besides = [experiment.training]
    if ablation is not None:
        always += [ablation.train, ablation.measure, ablation.health]
        besides += [training.flags for training in ablation.trainings]
    words = set(words_of(*always))
    if words & _SETS:
        words.add("data")
    more = set(words_of(*besides)) - words
    return [name for name in FOLDERS if name in words], [name for name in FOLDERS if name in more]


def shown(path: Path) -> str:
    """A path as short as it can be written from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _weights(text: str) -> str:
    shipped = SHIPPED / f"{text}.safetensors"
    if Path(text).is_file() or not shipped.is_file():
        return text
    return shown(shipped)
