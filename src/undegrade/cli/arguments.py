"""Arguments that several commands share, each said once. Nothing heavy is imported: help must come at once."""

from __future__ import annotations

import argparse
import importlib.resources
from pathlib import Path


def shipped_tasks() -> list[str]:
    """The tasks that weights come with, by the names of their files."""
    folder = importlib.resources.files("undegrade") / "weights"
    stems = (f.name.removesuffix(".safetensors") for f in folder.iterdir() if f.name.endswith(".safetensors"))
    return sorted({stem.rpartition("-")[0] for stem in stems})


def add_model(parser: argparse.ArgumentParser, default_task: str, half: bool = False) -> argparse._ArgumentGroup:
    """Add ``--task``, ``--variant``, ``--weights`` and ``--device``, and ``--half`` where it is wanted.

    Args:
        parser: of a command.
        default_task: what happens without ``--task``, in words.
        half: whether the command can work in half precision.
    """
    group = parser.add_argument_group("model")
    group.add_argument("--task", metavar="T", help=f"one of {', '.join(shipped_tasks())} (default: {default_task})")
    add_variant(group)
    if half:
        group.add_argument(
            "--half", action="store_true", help="half precision: faster on a CPU with bfloat16, a little less exact"
        )
    return group


def add_variant(group: argparse._ArgumentGroup) -> None:
    """Add ``--variant``, ``--weights`` and ``--device``."""
    group.add_argument("--variant", metavar="V", help="of the task, e.g. fast (default: the best that is shipped)")
    group.add_argument("--weights", type=Path, metavar="FILE", help="your own safetensors file, its card beside it")
    group.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: a GPU if there is one)")


def add_benchmarks(parser: argparse.ArgumentParser) -> None:
    """Add ``--benchmarks``."""
    parser.add_argument(
        "--benchmarks", type=Path, required=True, metavar="DIR", help="folder of the benchmark sets: CBSD68/, ..."
    )
