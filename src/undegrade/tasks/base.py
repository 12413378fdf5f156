"""A task is one value: what degrades the images, which networks repair it, how they are trained and measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from undegrade.data.benchmark import Benchmark
from undegrade.data.block_benchmark import Blocks
from undegrade.data.clean import AS_THEY_ARE, Clean, CleanMixture
from undegrade.degrade import Degradation
from undegrade.metrics import Protocol
from undegrade.model.architecture import Architecture
from undegrade.tasks.recipe import Recipe


@dataclass(frozen=True)
class Task:
    """One restoration task. Adding one means adding one file to this package and its name to ``TASKS``.

    Attributes:
        name: as on the command line.
        summary: one sentence for people.
        degradation: what training draws from; its ``quantity`` says what the estimator reads off.
        variants: restorer by name, best first.
        recipes: training recipe by variant, then by name; the first of each is the default.
        validation: fixed degradations on which a run is watched, by label.
        protocol: how the published tables are measured.
        benchmarks: their cells.
        clean: what the clean crops are cut from.
        validation_images: by label of :attr:`validation`, where the clean images are not the held-out photographs.
        validation_side: of the crops that a run is watched on, in pixels.
        blocks: benchmarks that their owners distribute cut into blocks; each may be there or not.
    """

    name: str
    summary: str
    degradation: Degradation
    variants: Mapping[str, Architecture]
    recipes: Mapping[str, Mapping[str, Recipe]]
    validation: Mapping[str, Degradation]
    protocol: Protocol
    benchmarks: tuple[Benchmark, ...]
    clean: CleanMixture = AS_THEY_ARE
    validation_images: Mapping[str, Clean] = field(default_factory=dict)
    validation_side: int = 256
    blocks: tuple[Blocks, ...] = ()
