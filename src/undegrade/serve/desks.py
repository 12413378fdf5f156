"""The open pages, their pictures, and what happens to these: files in one private folder, deleted when done with."""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.files.plan import Naming
from undegrade.image import Format
from undegrade.serve.limits import Limits
from undegrade.serve.pool import Full, Pool
from undegrade.serve.request_options import RequestOptions, SaveAs

BEAT = 10.0
"""Seconds between two signs of life to a page."""
SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif", "avif": ".avif"}
TYPES = {name: f"image/{name}" for name in SUFFIXES}


def plain_name(given: str) -> str:
    """A file name for people, from what a client sent: without folders and without what is not printable."""
    name = PurePosixPath(PureWindowsPath(given).as_posix()).name
    name = "".join(c for c in name if c.isprintable())[:200].strip()
    return name if name not in ("", ".", "..") else "picture"


def result_name(name: str, format: str, save_as: SaveAs) -> str:
    """The name of a result, as ``undegrade restore`` gives it.

    Where the name of the file does not say its format, that of the result does: a browser goes by it.
    """
    naming = Naming("{stem}.png") if save_as == "png" else Naming()
    named = naming(Path(name))
    if Format.of_name(Path(named)) == format:
        return named
    return Path(name).stem + SUFFIXES[format]


@dataclass
class Item:
    """One picture of a page.

    Attributes:
        number: on its page.
        name: for people, never a path.
        folder: of its files; the picture is ``source`` in it.
        facts: what is known of it: what the worker said when it looked.
        result: of the last restoration: the record, with the name of its file.
        task: what is done with it now.
    """

    number: int
    name: str
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] | None = None
    task: asyncio.Task[None] | None = None
    versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def choice(self) -> dict[str, Any] | None:
        """The task that was chosen when the worker looked."""
        return {key: self.facts[key] for key in ("task", "reason")} if "reason" in self.facts else None

    def file(self, name: str) -> Path | None:
        """One of its files by a name that the worker gave; None if there is none."""
        known = re.fullmatch(r"source|thumbnail\.png|view\.png|map-\d\.png|result-\d+(-view\.png|-sure\.png)?", name)
        path = self.folder / name
        return path if known and path.is_file() else None


class Desk:
    """One open page.

    Args:
        folder: for its files; made here.
        pool: where the work is done.
        limits: of the service.
        log: called with one line for each thing that ends.
    """

    def __init__(self, folder: Path, pool: Pool, limits: Limits, log: Any) -> None:
        folder.mkdir(mode=0o700)
        self.folder, self._pool, self._limits, self._log = folder, pool, limits, log
        self.items: dict[int, Item] = {}
        self._numbers = itertools.count(1)
        self._listeners: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self.seen = time.monotonic()

    @property
    def is_open(self) -> bool:
        """Whether a page listens, or listened a moment ago."""
        return bool(self._listeners) or time.monotonic() - self.seen < self._limits.idle

    def add(self, name: str) -> Item:
        """A new picture, without its file.

        Raises:
            UndegradeError: there are too many.
        """
        if len(self.items) >= self._limits.pictures:
            raise UndegradeError(f"there are {len(self.items)} pictures on the page; remove some.")
        number = next(self._numbers)
        item = Item(number, plain_name(name), self.folder / str(number))
        item.folder.mkdir(mode=0o700)
        self.items[number] = item
        return item

    def look(self, item: Item) -> None:
        """Begin to look at a picture whose file is there.

        Raises:
            Full: too many jobs wait.
        """
        message = {"do": "look", "source": str(item.source), "folder": str(item.folder)}
        self._begin(item, "look", message)

    def restore(self, item: Item, asked: RequestOptions) -> None:
        """Begin to restore a picture; what was done with it before is given up.

        Raises:
            Full: too many jobs wait.
        """
        if item.task is not None:
            item.task.cancel()
        output = item.folder / f"result-{next(item.versions)}"
        message = {
            "do": "restore", "source": str(item.source), "folder": str(item.folder), "output": str(output),
            "asked": vars(asked), "choice": item.choice,
        }  # fmt: skip
        self._begin(item, "restore", message)

    async def part(self, item: Item, asked: RequestOptions, rows: list[int], columns: list[int]) -> bytes:
        """A part of a picture at one strength, as PNG.

        Raises:
            UndegradeError: it cannot be restored, or it was removed meanwhile.
        """
        output = item.folder / f"part-{secrets.token_hex(8)}"
        message = {
            "do": "part", "source": str(item.source), "folder": str(item.folder), "output": str(output),
            "asked": vars(asked), "choice": item.choice, "rows": rows, "columns": columns,
        }  # fmt: skip
        try:
            await self._pool.at_once(message)
            try:
                return output.read_bytes()
            except FileNotFoundError as error:
                raise UndegradeError("the picture was removed.") from error
        finally:
            output.unlink(missing_ok=True)

    def cancel(self, item: Item) -> None:
        """Give up what is done with a picture."""
        if item.task is not None:
            item.task.cancel()

    def remove(self, item: Item) -> None:
        """Delete a picture with everything that was made of it."""
        self.cancel(item)
        self.items.pop(item.number, None)
        shutil.rmtree(item.folder, ignore_errors=True)

    def close(self) -> None:
        """Delete all pictures."""
        for item in list(self.items.values()):
            self.remove(item)
        for queue in self._listeners:
            queue.put_nowait(None)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """What happens, from now on; an empty event is a sign of life."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield {}
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), BEAT)
                except TimeoutError:
                    event = {}
                if event is None:
                    return
                yield event
        finally:
            self._listeners.discard(queue)
            self.seen = time.monotonic()

    def tell(self, item: Item, event: str, **values: Any) -> None:
        """Tell the page."""
        for queue in self._listeners:
            queue.put_nowait({"picture": item.number, "event": event, **values})

    def _begin(self, item: Item, kind: str, message: dict[str, Any]) -> None:
        if self._pool.waiting >= self._limits.queue:
            raise Full(self._pool.wait)
        item.task = asyncio.create_task(self._do(item, kind, message))

    async def _do(self, item: Item, kind: str, message: dict[str, Any]) -> None:
        began = time.monotonic()

        def tell(said: dict[str, Any]) -> None:
            values = {key: value for key, value in said.items() if key not in ("job", "event")}
            if said["event"] == "looked":
                item.facts |= values
            self.tell(item, said["event"], **values)

        try:
            self.tell(item, "waiting", before=self._pool.waiting)
            result = await self._pool.run(message, tell)
        except asyncio.CancelledError:
            self.tell(item, "cancelled", kind=kind)
            self._log(item.name, f"{kind}: cancelled")
            for file in item.folder.glob(f"{Path(message.get('output', '-')).name}*"):
                file.unlink(missing_ok=True)
            raise
        except (UndegradeError, Full) as error:
            self.tell(item, "failed", kind=kind, reason=str(error))
            self._log(item.name, f"{kind}: {error}")
            return
        self._log(item.name, f"{kind}: done in {time.monotonic() - began:.1f} s")
        if kind == "look":
            item.facts |= result
            self.tell(item, "found", **result)
            return
        self._replace(item, message, result)
        assert item.result is not None
        self.tell(item, "restored", **item.result)

    @staticmethod
    def _replace(item: Item, message: dict[str, Any], record: dict[str, Any]) -> None:
        """The new result of a picture; the files of the one before are deleted."""
        output = Path(message["output"])
        if item.result is not None:
            for old in item.folder.glob(f"{item.result['file']}*"):
                if old.name.split("-")[:2] == item.result["file"].split("-"):
                    old.unlink(missing_ok=True)
        format, asked = record["result"]["format"], RequestOptions.of(message["asked"])
        item.result = record | {
            "file": output.name,
            "name": result_name(item.name, format, asked.save_as),
            "command": asked.command(item.name),
            "asked": message["asked"],
        }
        for beside in ("std", "uncertainty"):  # the page has its own picture of it
            with suppress(OSError):
                (item.folder / f"{output.name}-{beside}.png").unlink()


class Desks:
    """All open pages.

    Args:
        folder: private, for all files of the service.
        pool: where the work is done.
        limits: of the service.
        log: called with a picture's name and a line for each thing that ends.
    """

    MOST = 64

    def __init__(self, folder: Path, pool: Pool, limits: Limits, log: Any) -> None:
        self._folder, self._pool, self._limits, self._log = folder, pool, limits, log
        self._desks: dict[str, Desk] = {}

    def open(self) -> str:
        """A new page; returns the name by which only that page knows it.

        Raises:
            UndegradeError: there are too many.
        """
        self.tidy()
        if len(self._desks) >= self.MOST:
            raise UndegradeError(f"{self.MOST} pages are open; close one.")
        name = secrets.token_urlsafe(18)
        self._desks[name] = Desk(self._folder / f"desk-{name}", self._pool, self._limits, self._log)
        return name

    def get(self, name: str) -> Desk | None:
        """The page of a name."""
        desk = self._desks.get(name)
        if desk is not None:
            desk.seen = time.monotonic()
        return desk

    def close(self, name: str) -> None:
        """Close a page and delete its files."""
        if (desk := self._desks.pop(name, None)) is not None:
            desk.close()

    def tidy(self) -> None:
        """Close the pages that nobody has open any more."""
        for name in [name for name, desk in self._desks.items() if not desk.is_open]:
            self.close(name)

    def close_all(self) -> None:
        """Close all pages."""
        for name in list(self._desks):
            self.close(name)
