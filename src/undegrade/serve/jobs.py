"""What the worker does with pictures: look at one, restore it, restore a part of it at another strength."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from undegrade import image
from undegrade.degrade.blur import Kernel
from undegrade.errors import UndegradeError
from undegrade.files.level import check_level, task_of_level
from undegrade.files.plan import Job
from undegrade.files.readings import Reading, readings_of
from undegrade.files.restore_file import STD_PEAK, FileOptions, Status, TaskSelector, restore_file, std_path
from undegrade.files.uncertainty import PER_LEVEL, uncertainty_path
from undegrade.image import Format, Picture
from undegrade.inference.clean_first import choose
from undegrade.inference.engine import Window
from undegrade.inference.held import Held
from undegrade.inference.load import load_pipeline
from undegrade.inference.options import RestoreOptions
from undegrade.inference.pipeline import Pipeline, quantity_of
from undegrade.inference.select_task import UNIVERSAL, Choice, select_task
from undegrade.serve import views
from undegrade.serve.request_options import RequestOptions
from undegrade.tasks import TASKS
from undegrade.weights.card import shipped_cards
from undegrade.weights.intervals import Intervals

TILE = 320
"""Side of the tiles. Smaller than the command line's, which is a little faster: between two tiles a job can be
cancelled, and a part of another strength is computed. Tiles never change the result."""
LEVELS = 255.0
BLUR = 8
"""Number of the map of the blur: those below are of what every picture is searched for."""

Progress = Callable[[float], None]
Tell = Callable[..., None]
Message = dict[str, Any]


class Jobs:
    """The kinds of jobs, by name. Each takes a message, says how far it is, and returns JSON values.

    Args:
        folder: the only one with pictures.
        max_pixels: larger pictures are refused by their header.
        device: see :func:`undegrade.inference.load.load_pipeline`.
    """

    def __init__(self, folder: Path, max_pixels: int, device: str | None) -> None:
        self._folder, self._max_pixels, self._device = folder, max_pixels, device
        self._picture = functools.lru_cache(maxsize=2)(self._read)
        self._held = functools.lru_cache(maxsize=4)(self._hold)
        self._common: dict[str, Window | None] = {}

    def models(self) -> list[dict[str, Any]]:
        """The shipped models; loads the one that every picture needs."""
        self._load(UNIVERSAL)
        models = []
        for card in shipped_cards():
            task = TASKS[card.task]
            reads = quantity_of(task, card)
            models.append(
                {
                    "name": card.name,
                    "task": card.task,
                    "variant": card.variant,
                    "summary": task.summary,
                    "scale": task.degradation.scale,
                    "reads": None if reads is None else reads.name,
                    "intervals": Intervals.from_dict(card.intervals).pixels is not None,
                }
            )
        return models

    def look(self, message: Message, progress: Progress, tell: Tell) -> dict[str, Any]:
        """Read a picture; say what it is, what was found in it, and which task it needs."""
        folder = Path(message["folder"])
        picture = self._picture(message["source"])
        shown = views.range_of(picture)
        h, w = picture.pixels.shape[:2]
        with_view = views.needs_view(picture.format, shown)
        if message.get("views", True):
            views.write_thumbnail(folder / "thumbnail.png", picture, shown)
            if with_view:
                views.write_view(folder / "view.png", picture, shown)
        tell(
            event="looked", width=w, height=h, channels=1 if picture.grey else 3, bits=picture.bits,
            format=str(picture.format), quality=picture.quality, notes=list(picture.notes),
            view="view.png" if with_view else None,
        )  # fmt: skip
        if message.get("task") is not None:  # what another model reads
            reader = self._load(message["task"])
            seen = reader.estimate_map(picture.visible, tile=TILE, progress=progress)
            return self._found(list(readings_of(reader, seen)), folder, picture, reader.task.name, "")
        universal, options = self._load(UNIVERSAL), RestoreOptions(tile=TILE)
        choice = select_task(picture.visible, universal, options, picture.quality, lambda done: progress(0.95 * done))
        found = []
        if choice.look is not None:
            self._common = {message["source"]: choice.look.common}  # of the last picture: parts of it may be asked for
        if choice.look is not None and choice.look.estimates is not None and universal.quantity is not None:
            found = list(readings_of(universal, choice.look.estimates.as_map(universal.quantity)))
        progress(1.0)
        task = None if choice.pipeline is None else choice.pipeline.task.name
        return self._found(found, folder, picture, task, choice.reason)

    def _found(
        self, found: list[Reading], folder: Path, picture: Picture, task: str | None, reason: str
    ) -> dict[str, Any]:
        records = [self._record(reading, folder, i) for i, reading in enumerate(found)]
        return {"found": records, "quality": picture.quality, "task": task, "reason": reason}

    def restore(self, message: Message, progress: Progress, tell: Tell) -> dict[str, Any]:
        """Restore a picture into a file, as ``undegrade restore`` does."""
        asked = RequestOptions.of(message["asked"])
        source, output = Path(message["source"]), Path(message["output"])
        given = self._given(asked)
        if asked.uncertainty:  # before anything is computed
            (given or self._load(UNIVERSAL)).check_intervals()
        restore = RestoreOptions(
            strength=asked.strength,
            level=asked.sigma if asked.sigma is not None else asked.quality,
            samples=asked.samples,
            tile=TILE,
            uncertainty=asked.uncertainty,
        )
        select = self._selector(given, message.get("choice"), restore)
        options = FileOptions(restore, max_pixels=self._max_pixels, strip_metadata=asked.strip_metadata)
        outcome = restore_file(
            Job(source, output, Format.PNG if asked.save_as == "png" else None), options, select, progress
        )
        if outcome.status is Status.FAILED:
            raise UndegradeError(outcome.reason or "")
        record = outcome.to_record()
        del record["source"], record["output"]
        if outcome.uncertainty is not None:
            del record["uncertainty"]["file"]
        scale = 1 if outcome.task is None else TASKS[outcome.task].degradation.scale
        format = Format.PNG if asked.save_as == "png" else Format(outcome.format or "png").of_result
        record["result"] = {
            "format": str(format), "width": scale * (outcome.width or 0), "height": scale * (outcome.height or 0),
            "bytes": output.stat().st_size, "view": None, "std": None,
        }  # fmt: skip
        if not message.get("views", True):  # for programs
            return record
        if given is not None and isinstance(given.quantity, Kernel):
            record["found"] = self._blur(given, str(source), Path(message["folder"]))
        shown = views.range_of(self._picture(str(source)))
        if views.needs_view(format, shown):
            view = output.with_name(f"{output.name}-view.png")
            views.write_view(view, image.read(output, 16 * self._max_pixels + 1), shown)
            record["result"]["view"] = view.name
        if outcome.uncertainty is not None:
            record["result"]["std"] = self._sure(output, uncertainty_path(output), 1 / PER_LEVEL, "interval")
        elif asked.samples and outcome.status is Status.RESTORED and std_path(output).exists():
            record["result"]["std"] = self._sure(output, std_path(output), LEVELS * STD_PEAK / 65535, "std")
        return record

    def _blur(self, pipeline: Pipeline, source: str, folder: Path) -> list[dict[str, Any]]:
        """What a model of super-resolution reads, and the universal one does not. The encoder alone is quick."""
        seen = pipeline.estimate_map(self._picture(source).visible, tile=TILE)
        return [self._record(reading, folder, BLUR + i) for i, reading in enumerate(readings_of(pipeline, seen))]

    def _sure(self, output: Path, file: Path, step: float, kind: str) -> dict[str, Any]:
        """A plane for the page of a 16-bit picture of standard deviations or half-widths, of so many levels a step."""
        sure = image.read(file, 16 * self._max_pixels + 1).pixels.astype(np.float32) * np.float32(step)
        # A square of several pixels has the root of the mean variance.
        plane = np.sqrt(views.reduced(np.square(sure), -(-max(sure.shape) // views.OVERLAY)))
        high = max(float(np.percentile(plane, 99.5)), 0.5)
        views.write_plane(output.with_name(f"{output.name}-sure.png"), plane, 0.0, high)
        return {
            "file": f"{output.name}-sure.png", "low": 0.0, "high": high, "mean": float(plane.mean()),
            "unit": "8-bit levels", "kind": kind,
        }  # fmt: skip

    def part(self, message: Message, progress: Progress, tell: Tell) -> dict[str, Any]:
        """Restore a part of a picture at one strength into a PNG; its latent is kept for the next one."""
        asked = RequestOptions.of(message["asked"])
        select = self._selector(self._given(asked), message.get("choice"), RestoreOptions(tile=TILE))
        choice = select(np.empty((0, 0)), None, None)
        if choice.pipeline is None:
            raise UndegradeError("the picture was left alone; choose a task to restore it.")
        level = asked.sigma if asked.sigma is not None else asked.quality
        (top, bottom), (left, right) = message["rows"], message["columns"]
        held = self._held(message["source"], choice.pipeline.task.name, (top, bottom), (left, right), level)
        picture = self._picture(message["source"])
        shown = views.range_of(picture) if picture.bits > 8 else None
        pixels = held.restored(asked.strength)
        part = Picture(pixels, metadata=picture.metadata.stripped())
        output = Path(message["output"])
        if shown is None:
            image.write(output, part, Format.PNG)
        else:
            views.write_view(output, part, shown)
        return {"rows": [top, bottom], "columns": [left, right]}

    def _given(self, asked: RequestOptions) -> Pipeline | None:
        """The pipeline of the task that the client asks for; None to choose by the picture."""
        replaced = asked.replaced
        task = asked.task or (None if replaced is None else task_of_level(replaced))
        if task is None:
            return None
        pipeline = self._load(task)
        if replaced is not None:
            check_level(replaced, pipeline)
        return pipeline

    def _selector(self, given: Pipeline | None, known: dict[str, Any] | None, options: RestoreOptions) -> TaskSelector:
        """The choice of the task: the client's, or what was chosen when the picture was looked at."""
        if given is not None:
            universal = functools.partial(self._load, UNIVERSAL)
            return lambda image, quality, progress: choose(given, image, universal, options, quality, progress)
        if known is not None:
            choice = Choice(None if known["task"] is None else self._load(known["task"]), known["reason"])
            return lambda image, quality, progress: choice
        return lambda image, quality, progress: select_task(image, self._load(UNIVERSAL), options, quality, progress)

    def _load(self, task: str) -> Pipeline:
        return load_pipeline(task, device=self._device)

    def _record(self, reading: Reading, folder: Path, i: int) -> dict[str, Any]:
        low, high = (float(v) for v in np.percentile(reading.plane, (1, 99)))
        high = max(high, low + 1e-3)
        name = f"map-{i}.png"
        views.write_plane(folder / name, reading.plane, low, high)
        return reading.to_record() | {"map": {"file": name, "low": low, "high": high, "unit": reading.unit}}

    def _read(self, source: str) -> Picture:
        return image.read(Path(source), self._max_pixels)

    def _hold(
        self, source: str, task: str, rows: tuple[int, int], columns: tuple[int, int], level: float | None
    ) -> Held:
        common = self._common.get(source) if task == UNIVERSAL else None
        return self._load(task).hold(self._picture(source).visible, rows, columns, level, common=common)
