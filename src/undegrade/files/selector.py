"""Which model restores a picture, as a value that can be sent to another process or machine."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.files.level import check_level, task_of_level
from undegrade.inference.arrays import Image
from undegrade.inference.calls import Progress
from undegrade.inference.clean_first import choose
from undegrade.inference.load import load_pipeline
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.select_task import UNIVERSAL, Choice, select_task


@dataclass(frozen=True)
class Selector:
    """Selects the pipeline for a picture. Pipelines are loaded at their first use, in whatever process that is.

    Attributes:
        task: a name in ``TASKS``; None for that of ``weights`` or ``level``, else it is selected for each picture.
        variant, weights, device, half, engine, threads, draft: see :func:`undegrade.inference.load.load_pipeline`.
        options: with which a picture is restored; for looking at it.
        level: a key of :data:`undegrade.files.level.LEVELS` whose estimate the user replaces; None for none.
        keep_degradation: enlarge noise and compression too, instead of removing them first.
    """

    task: str | None = None
    variant: str | None = None
    weights: Path | None = None
    device: str | None = None
    half: bool = False
    options: RestoreOptions = field(default_factory=RestoreOptions)
    threads: int | None = None
    level: str | None = None
    keep_degradation: bool = False
    draft: bool = False
    engine: str | None = None

    def __call__(self, image: Image, quality: int | None, progress: Progress | None = None) -> Choice:
        """Select the pipeline; arguments as for :func:`undegrade.inference.select_task.select_task`.

        Raises:
            UndegradeError: see :attr:`given` and :meth:`load`.
        """
        if self.given is not None:
            return choose(
                self.given,
                image,
                self._universal,
                self.options,
                quality,
                progress,
                keep_degradation=self.keep_degradation,
            )
        return select_task(image, self.load(UNIVERSAL), self.options, quality, progress)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, f.name) for f in fields(self))  # pipelines stay where they are

    def load(self, task: str | None) -> Pipeline:
        """The pipeline of a task.

        Raises:
            UndegradeError: see :func:`undegrade.inference.load.load_pipeline`.
        """
        return load_pipeline(
            task, self.variant, self.weights, self.device, self.half, self.engine, self.threads, draft=self.draft
        )

    def _universal(self) -> Pipeline:
        """The shipped universal model, beside the one that is given."""
        return load_pipeline(UNIVERSAL, None, None, self.device, self.half, self.engine, self.threads, draft=self.draft)

    @functools.cached_property
    def given(self) -> Pipeline | None:
        """The pipeline for every picture; None where it is selected for each.

        Raises:
            UndegradeError: see :meth:`load`; or it does not estimate what :attr:`level` replaces, or does not enlarge
                what :attr:`keep_degradation` keeps.
        """
        task = self.task
        if task is None and self.weights is None:
            if self.level is None and not self.keep_degradation:
                return None
            if self.level is None:
                raise UndegradeError("--keep-degradation is for tasks that enlarge; give one too, e.g. --task sr-x2.")
            task = task_of_level(self.level)
        pipeline = self.load(task)
        if self.level is not None:
            check_level(self.level, pipeline)
        if self.keep_degradation and pipeline.architecture.scale == 1:
            raise UndegradeError(
                f"--keep-degradation is for tasks that enlarge, and {pipeline.task.name} does not; leave it out, or "
                "give --task sr-x2."
            )
        return pipeline

    def check(self) -> dict[str, str]:
        """Load what the first picture needs: missing weights are reported before any file is read.

        Returns:
            The task and the variant, if they are the same for every picture.

        Raises:
            UndegradeError: see :attr:`given`; or the model does not know how far off it may be, and that is asked for.
        """
        first = self.given or self.load(UNIVERSAL)
        if self.options.uncertainty:
            first.check_intervals()
        if self.given is None:
            return {}
        assert self.given.card is not None  # a loaded pipeline has a card
        return {"task": self.given.task.name, "variant": self.given.card.variant}
