"""Arguments that several commands share. Imports nothing slow: ``--help`` must be fast."""

from __future__ import annotations

import argparse
import importlib.resources
import math
from dataclasses import dataclass
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.reading import WEB_ADDRESS, is_web_address


def a_path(given: str) -> Path:
    """The path of an argument. ``Path("")`` would be the current folder.

    Raises:
        argparse.ArgumentTypeError: it is empty, or no system can have a file of that name.
        UndegradeError: it is a web address.
    """
    if not given:
        raise argparse.ArgumentTypeError("the name is empty; give . for the current folder")
    if "\0" in given:
        raise argparse.ArgumentTypeError("the name holds a zero byte; check it")
    if is_web_address(given):
        raise UndegradeError(f"{given}: {WEB_ADDRESS}.")  # not of argparse, which would repeat the usage
    return Path(given)


MANY = 2**31 - 1
"""Larger whole numbers than this are a mistake, whatever they count."""


@dataclass(frozen=True)
class Whole:
    """The type of an option that takes a whole number.

    Attributes:
        option: its name, such as ``--threads``, for the message.
        least, most: the range.
    """

    option: str
    least: int
    most: int = MANY

    def __call__(self, given: str) -> int:
        """The number.

        Raises:
            UndegradeError: it is none, or out of range. Not of argparse, which would repeat the usage.
        """
        try:
            value = int(given)
        except ValueError:
            value = self.least - 1
        if not self.least <= value <= self.most:
            raise UndegradeError(
                f"{self.option} {_shown(given)} is out of range; give a whole number of {self.least} to {self.most}."
            )
        return value


@dataclass(frozen=True)
class Real:
    """The type of an option that takes a number above 0; see :class:`Whole`.

    Attributes:
        option, least, most: as of :class:`Whole`.
        remedy: what to give, where the range does not say it well.
    """

    option: str
    least: float
    most: float
    remedy: str = ""

    def __call__(self, given: str) -> float:
        """The number.

        Raises:
            UndegradeError: it is none, or out of range.
        """
        try:
            value = float(given)
        except ValueError:
            value = math.nan
        if not (self.least <= value <= self.most and value > 0):
            remedy = self.remedy or f"give a number of {self.least:g} to {self.most:g}"
            raise UndegradeError(f"{self.option} {_shown(given)} is out of range; {remedy}.")
        return value


def _shown(given: str) -> str:
    return given if given.strip() and len(given) <= 40 else repr(given[:40])


class Url(str):
    """The address of a folder or file in a store, such as ``s3://bucket/photos``."""

    __slots__ = ()


def a_place(given: str) -> Path | Url:
    """The path or address of an argument.

    Raises:
        argparse.ArgumentTypeError: see :func:`a_path`.
    """
    path = a_path(given)
    return Url(given) if "://" in given else path


def shipped_tasks() -> list[str]:
    """Names of the tasks with shipped weights, from the file names."""
    folder = importlib.resources.files("undegrade") / "weights"
    stems = {f.name.removesuffix(".safetensors") for f in folder.iterdir() if f.name.endswith(".safetensors")}
    return sorted({stem.rpartition("-")[0] for stem in stems if not stem.endswith("-int8")})


MOST_THREADS = 1024
TASK_NAMES = ("gaussian", "real", "jpeg", "jpeg-y", "sr-x2", "sr-x4", "universal")
"""The names of all tasks, for help texts; a test compares them with ``undegrade.TASKS``, whose import is slow."""
ENGINES = ("compiled", "onnx", "torch")
"""The same for :class:`undegrade.inference.engines.EngineName`."""


def add_model(parser: argparse.ArgumentParser, default_task: str, half: bool = False) -> argparse._ArgumentGroup:
    """Add ``--task``, ``--variant``, ``--weights``, ``--device`` and ``--threads``, and on request ``--half``,
    ``--draft`` and ``--engine``.

    Args:
        parser: of a command.
        default_task: which task is used without ``--task``, in words.
        half: whether the command supports other precisions and engines.
    """
    group = parser.add_argument_group("model")
    group.add_argument("--task", metavar="T", help=f"one of {', '.join(shipped_tasks())} (default: {default_task})")
    add_variant(group, "with --task: variant of that task")
    group.add_argument(
        "--threads",
        type=Whole("--threads", 1, MOST_THREADS),
        metavar="N",
        help="threads of the CPU (default: the cores that the process may use)",
    )
    if half:
        group.add_argument(
            "--half",
            action="store_true",
            help="faster on a GPU or a CPU with bfloat16, slightly less accurate; needs PyTorch",
        )
        add_draft(group)
        group.add_argument(
            "--engine",
            choices=ENGINES,
            help="what computes (default: the first that can): kernels compiled here, ONNX Runtime, PyTorch",
        )
    return group


def add_draft(group: argparse._ArgumentGroup) -> None:
    """Add ``--draft``."""
    group.add_argument(
        "--draft",
        action="store_true",
        help="compute in int8 on the CPU: more than twice as fast with VNNI, a little less exact (docs/restore.md)",
    )


def add_variant(group: argparse._ArgumentGroup, what: str = "variant of the task") -> None:
    """Add ``--variant``, ``--weights`` and ``--device``; ``what`` says of which task the variant is."""
    group.add_argument("--variant", metavar="V", help=f"{what}, e.g. fast (default: the best shipped one)")
    group.add_argument(
        "--weights", type=a_path, metavar="FILE", help="your own safetensors file, with its card in the same folder"
    )
    group.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: a GPU if there is one)")


def add_benchmarks(parser: argparse._ActionsContainer, required: bool = True) -> None:
    """Add ``--benchmarks``. In a group of exclusive arguments, the group says that one is required."""
    parser.add_argument(
        "--benchmarks", type=a_path, required=required, metavar="DIR",
        help="folder with the benchmark sets: CBSD68/, ...",
    )  # fmt: skip
