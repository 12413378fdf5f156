"""The files of a large batch, listed while the work goes on: one folder at a time is in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from undegrade.cluster.storage import Place, first_line
from undegrade.errors import UndegradeError
from undegrade.files.ignored import kind_of_name
from undegrade.files.plan import Naming
from undegrade.files.restore_file import Outcome, Status, beside
from undegrade.files.shards import Shard
from undegrade.image import Format
from undegrade.inference.options import RestoreOptions


@dataclass(frozen=True)
class Item:
    """A file to restore.

    Attributes:
        source: its path below the input.
        output: the path of its result below the output.
        format: of the result; None for that of the source.
        size: bytes of the file, if the store says them.
    """

    source: str
    output: str
    format: Format | None = None
    size: int | None = None


class Listing:
    """The files below an input, and what is known of them without reading them.

    The rules are those of :func:`undegrade.files.plan.plan`, as far as they can be kept without knowing all files: the
    results lie in another folder than the inputs, and of two files of a folder that have the same result, the second
    is refused.

    Args:
        source: a folder, or a file.
        output: a folder.
        naming: the names of the results.
        shard: only this part.
        skip_existing: results that exist are reported as skipped.
        options: with which they are restored; some write pictures beside each result.

    Attributes:
        source: the folder of the items' sources.
        output: the folder of their results.
        ignored: files so far whose names are not those of pictures, by suffix.
        others: number of pictures so far in other shards.
        results: 0, as results are not among the inputs.

    Raises:
        UndegradeError: the input is not there, or the output cannot hold the results.
    """

    def __init__(
        self,
        source: Place,
        output: Place,
        naming: Naming | None = None,
        shard: Shard | None = None,
        *,
        skip_existing: bool = False,
        options: RestoreOptions | None = None,
    ) -> None:
        self.output = output
        self.ignored: Counter[str] = Counter()
        self.others = self.results = 0
        self._naming, self._shard = naming or Naming(), shard or Shard()
        self._skip_existing, self._options = skip_existing, options or RestoreOptions()
        self._only: str | None = None
        self.source = source
        try:
            if source.is_file():
                self.source, self._only = source.above()
        except FileNotFoundError as error:
            raise UndegradeError(f"{source.url}: there is no such file or folder; check the address.") from error
        except Exception as error:  # each store has errors of its own
            raise UndegradeError(
                f"{source.url}: it cannot be looked at ({first_line(error)}); check address and access."
            ) from error
        if not output.can_take_results:
            raise UndegradeError(
                f"-o {output.url}: files can be seen there while they are half written; name a folder of the system, "
                "or a store such as s3://, gs:// or az://."
            )
        if output.holds(self.source):
            raise UndegradeError(f"-o {output.url} holds the inputs, which would be overwritten; name another folder.")

    def __iter__(self) -> Iterator[Item | Outcome]:
        """The items in order, files of a folder before its subfolders.

        Yields:
            An item, or the outcome of what is none (a result that exists, a folder that cannot be listed, a name that
            is taken or cannot be).
        """
        ahead = [""]
        while ahead:
            folder = ahead.pop()
            try:
                entries = self.source.list(folder)
            except Exception as error:  # each store has errors of its own
                reason = f"the folder cannot be listed ({first_line(error)}); check its permissions."
                yield Outcome(self.source.shown(folder), None, reason=reason)
                continue
            names, below = [], []
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name.startswith(".") or (self._only is not None and entry.name != self._only):
                    continue
                if entry.is_folder:
                    below.append(path)
                elif self._only is None and Format.of_name(Path(entry.name)) is None:
                    self.ignored[kind_of_name(entry.name)] += 1
                elif not self._shard.holds(PurePosixPath(path)):
                    self.others += 1
                else:
                    names.append((path, entry.size))
            if names:
                yield from self._items(folder, names)
            # Results are no inputs.
            ahead += [path for path in reversed(below) if not self._is_output(path)]

    def _items(self, folder: str, names: list[tuple[str, int | None]]) -> Iterator[Item | Outcome]:
        try:
            self.output.clean(folder)
            there = self._results(folder) if self._skip_existing else set()
        except Exception as error:  # each store has errors of its own
            reason = f"the results in it cannot be listed ({first_line(error)}); check its permissions."
            yield Outcome(self.output.shown(folder), None, reason=reason)
            return
        taken: dict[str, str] = {}
        for path, size in names:
            try:
                name = self._naming(Path(PurePosixPath(path).name))
            except UndegradeError as error:
                yield Outcome(self.source.shown(path), None, reason=str(error))
                continue
            output = f"{folder}/{name}" if folder else name
            made = [name, *(path.name for path in beside(Path(name), self._options))]
            other = next((taken[each] for each in made if each in taken), None)
            taken.update(dict.fromkeys(made, path))
            shown = self.source.shown(path), self.output.shown(output)
            if other is not None:
                reason = f"{self.source.shown(other)} has the same result; use another --name."
                yield Outcome(*shown, reason=reason)
            elif name in there:
                yield Outcome(*shown, Status.SKIPPED)
            else:
                yield Item(path, output, self._naming.format_of(Path(path)), size)

    def _results(self, folder: str) -> set[str]:
        """The names of the results in a folder, by one listing: asking for each would take a thousand times longer."""
        try:
            return {entry.name for entry in self.output.list(folder) if not entry.is_folder}
        except FileNotFoundError:
            return set()

    def _is_output(self, folder: str) -> bool:
        return bool(self.source.fs == self.output.fs) and self.source.path(folder) == self.output.root
