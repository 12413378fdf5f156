"""Plans which files a batch reads and where each result is written, and checks this before the work starts.

Only paths are read, not the files. The plan is refused if a result would overwrite an input (also under another name,
such as a link or another spelling) or another result.
"""

from __future__ import annotations

import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.files.identity import identity, ignores_case, is_folder, resolved
from undegrade.files.ignored import in_words
from undegrade.files.search import search
from undegrade.files.shards import Shard
from undegrade.image import Format
from undegrade.image.picture import WRITTEN_SUFFIXES

_OTHER_FORMATS = frozenset({
    ".gif", ".bmp", ".heic", ".heif", ".jxl", ".jp2", ".j2k", ".jpx", ".svg", ".pdf", ".psd", ".psb", ".xcf",
    ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".exr", ".hdr", ".tga", ".ppm",
    ".pgm", ".pbm", ".pnm", ".pcx", ".ico", ".eps", ".ai", ".mp4", ".mov", ".avi", ".webm", ".mkv", ".npy",
    ".dds", ".fits", ".fit", ".dib",
})  # fmt: skip
"""Suffixes of pictures and films that are not written: a folder of such a name is a mistake."""


@dataclass(frozen=True)
class Job:
    """One file to restore.

    Attributes:
        source: path of the picture, as given or found.
        output: path of its result.
        format: format of the result; None for the format of the source.
    """

    source: Path
    output: Path
    format: Format | None = None


@dataclass(frozen=True)
class Plan:
    """The files of a batch.

    Attributes:
        jobs: in order; all outputs are different files, and none is a source.
        ignored: what in the folders is no picture by its name: how many files of each suffix.
        results: number of pictures left out because they are results of other inputs; see :func:`plan`.
        unread: folders that cannot be searched, with the reason.
        others: number of pictures in other shards.
    """

    jobs: tuple[Job, ...]
    ignored: Counter[str] = field(default_factory=Counter)
    results: int = 0
    unread: tuple[tuple[Path, str], ...] = ()
    others: int = 0


@dataclass(frozen=True)
class Pictures:
    """Files that are only read.

    Attributes:
        files: in order.
        unread: see :class:`Plan`.
        ignored: see :class:`Plan`.
    """

    files: tuple[Path, ...]
    unread: tuple[tuple[Path, str], ...] = ()
    ignored: Counter[str] = field(default_factory=Counter)


Beside = Callable[[Path], Sequence[Path]]
"""From the path of a result: what is written next to it."""


def _nothing_beside(output: Path) -> Sequence[Path]:
    return ()


class Naming:
    """The file names of results, from a template such as ``{stem}-clean{suffix}``.

    A template that ends in ``{suffix}`` keeps each file's format; one that ends in ``.png`` writes PNG.

    Args:
        template: a file name without folders; fields are in braces.
        fields: more fields besides ``stem`` and ``suffix``, the same for every file.

    Raises:
        UndegradeError: unknown fields, or the names are not those of picture files.
    """

    def __init__(self, template: str = "{stem}{suffix}", fields: Mapping[str, str] | None = None) -> None:
        self._template = template
        self._fields = dict(fields or {})
        known = ["stem", "suffix", *self._fields]
        try:
            parts = list(string.Formatter().parse(template))
        except ValueError as error:
            raise self._refusal(f"is not a template ({error})", "write literal braces as {{ and }}") from error
        for _, name, spec, conversion in parts:
            if name is not None and (name not in known or spec or conversion):
                choice = ", ".join(f"{{{allowed}}}" for allowed in known)
                if name in ("task", "variant") and not (spec or conversion):
                    choice += "; {task} and {variant} need --task, --weights, --sigma or --quality"
                raise self._refusal(f"has the unknown field {{{name}}}", f"use {choice}")
        keeps = bool(parts) and parts[-1][1] == "suffix"
        example = Path(self._filled("x", ".png"))
        self.format = None if keeps else Format.of_name(example)
        """The format of the results; None for the format of the source."""
        if not keeps and (self.format is None or not self.format.is_written):
            raise self._refusal("does not end like a picture's name", "end it in {suffix} or a suffix such as .png")
        self._visible(example.name, "x")

    def __call__(self, source: Path) -> str:
        """The name of the result of a file. Where a format is only read, ``.png`` is added: ``photo.gif.png``.

        Raises:
            UndegradeError: the result is not a plain file name, e.g. it contains a folder.
        """
        added = ".png" if self._becomes_png(source) else ""
        return self._visible(self._filled(source.stem, source.suffix + added), source.stem)

    def format_of(self, source: Path) -> Format | None:
        """The format of the result of a file; None for the format of the source."""
        return Format.PNG if self._becomes_png(source) else self.format

    def _becomes_png(self, source: Path) -> bool:
        """Whether the result has another format than the template says: the source's is only read."""
        format = Format.of_name(source)
        return self.format is None and format is not None and not format.is_written

    def _visible(self, name: str, stem: str) -> str:
        if name.startswith(".") and not stem.startswith("."):
            raise self._refusal(f"gives {name!r}, which is a hidden file", "begin it with {stem}, for example")
        return name

    def _filled(self, stem: str, suffix: str) -> str:
        name = self._template.format(stem=stem, suffix=suffix, **self._fields)
        if name in ("", ".", "..") or any(c in name for c in "/\\\0"):
            raise self._refusal(f"gives {name!r}, which is not a file name", "give folders by -o")
        return name

    def _refusal(self, what: str, remedy: str) -> UndegradeError:
        return UndegradeError(f"--name {self._template!r} {what}; {remedy}.")


def plan(
    inputs: Sequence[Path],
    output: Path,
    naming: Naming | None = None,
    *,
    skip_existing: bool = False,
    shard: Shard | None = None,
    beside: Beside = _nothing_beside,
    ever_beside: Beside | None = None,
) -> Plan:
    """Plan which files to restore and where to write the results.

    Args:
        inputs: files with any name, and folders. Folders are searched by :func:`search`; the results keep their tree.
        output: a folder; for one input also the name of a picture file.
        naming: the names of the results; None keeps the names of the inputs.
        skip_existing: existing results are kept. Inputs that are results of other inputs are left out: a batch that
            writes into its input folder can continue after a stop.
        shard: the jobs of this part only; all are checked, since another part must not write what this one reads.
        beside: the pictures that are written next to a result, see :func:`undegrade.files.restore_file.beside`. They
            count as results.
        ever_beside: those that other options would have written: an earlier call may have, and with ``skip_existing``
            they are left out like results. None for the same.

    Raises:
        UndegradeError: a result would replace an input or another result, or there are no pictures.
    """
    for path in (*inputs, output):
        if "\0" in str(path):
            raise UndegradeError(f"{str(path)!r}: a name cannot hold a zero byte; check it.")
    if not is_folder(output) and (output.suffix.lower() in _OTHER_FORMATS or _is_misspelt(inputs, output)):
        raise UndegradeError(
            f"-o {output} looks like a file of a format that is not written; end its name in {WRITTEN_SUFFIXES}, or "
            "give a folder, which must be there if its name has such a suffix."
        )
    if Format.of_name(output) is not None and not is_folder(output):
        if shard is not None and shard.count > 1:
            raise UndegradeError(f"--shard divides a folder, and {output} is one file; leave it out.")
        return Plan((_into_one_file(inputs, output, naming, beside),))
    naming = naming or Naming()
    shard = shard or Shard()
    jobs: list[Job] = []
    mine: set[Path] = set()
    unread: list[tuple[Path, str]] = []
    ignored: Counter[str] = Counter()
    for given in inputs:
        if is_folder(given):
            found = search(given, apart=output)
            ignored += found.ignored
            unread += found.unread
            below = [(f, f.relative_to(given)) for f in found.files]
        else:
            below = [(given, Path(given.name))]
        for file, relative in below:
            job = Job(file, output / relative.with_name(naming(file)), naming.format_of(file))
            jobs.append(job)
            if shard.holds(relative):
                mine.add(job.output)
    if not jobs:
        raise _nothing(inputs, ignored, unread)
    kept = _without_results(jobs, ever_beside or beside) if skip_existing else jobs
    checked = _checked(kept, beside)
    chosen = tuple(job for job in checked if job.output in mine)
    return Plan(chosen, ignored, len(jobs) - len(kept), tuple(unread), len(checked) - len(chosen))


def pictures_in(inputs: Sequence[Path]) -> Pictures:
    """The files among the inputs and the pictures in their folders.

    Raises:
        UndegradeError: there is none.
    """
    files: list[Path] = []
    unread: list[tuple[Path, str]] = []
    ignored: Counter[str] = Counter()
    for given in inputs:
        if not is_folder(given):
            files.append(given)
            continue
        found = search(given, apart=given)
        files += found.files
        unread += found.unread
        ignored += found.ignored
    if not files:
        raise _nothing(inputs, ignored, unread)
    return Pictures(tuple(files), tuple(unread), ignored)


def _into_one_file(inputs: Sequence[Path], output: Path, naming: Naming | None, beside: Beside) -> Job:
    if len(inputs) > 1:
        raise UndegradeError(f"{output} is one file, but there are {len(inputs)} inputs; give a folder by -o.")
    source = inputs[0]
    if is_folder(source):
        raise UndegradeError(f"{output} is one file, but {source} is a folder; give a folder by -o.")
    if naming is not None:
        raise UndegradeError(f"-o {output} is already a file name; leave out --name, or give a folder by -o.")
    # The suffix of the output sets the format. If the name is unchanged, the format of the source is kept.
    job = Job(source, output, None if output.name == source.name else Format.of_name(output))
    return _checked([job], beside)[0]


def _without_results(jobs: Sequence[Job], beside: Beside) -> list[Job]:
    """The jobs whose sources are not results of other jobs."""
    maker = {identity(made): identity(job.source) for job in jobs for made in (*beside(job.output), job.output)}
    return [job for job in jobs if maker.get(own := identity(job.source), own) == own]


def _checked(jobs: Sequence[Job], beside: Beside) -> tuple[Job, ...]:
    """The jobs, each once, if nothing that they write replaces an input or what another one writes."""
    inputs = {identity(job.source) for job in jobs}
    taken: dict[str, tuple[Job, Path]] = {}
    spelled: dict[str, tuple[Job, Path]] = {}
    kept: list[Job] = []
    for job in jobs:
        if identity(job.output) in inputs:
            raise UndegradeError(f"{job.output} is an input and would be overwritten; name another folder with -o.")
        made = [(path, *_places(path)) for path in (job.output, *beside(job.output))]
        for path, place, spelling in made:
            if path != job.output and identity(path) in inputs:
                raise UndegradeError(f"{path} would replace an input or a result; use another --name or -o.")
            other = taken.get(place)
            if other is None and spelling in spelled and ignores_case(path.parent):
                other = spelled[spelling]
            if other is None:
                continue
            if path == job.output and other[1] == other[0].output and _is_same_source(other[0], job):
                break  # an input that was named twice
            first, lost = other
            if path != job.output or lost != first.output:
                raise UndegradeError(
                    f"{first.source} and {job.source} would both write {lost}; restore them separately, or use another "
                    "--name."
                )
            raise UndegradeError(
                f"{first.source} and {job.source} would both be written to {lost}; restore them separately."
            )
        else:
            kept.append(job)
            for path, place, spelling in made:
                taken[place] = spelled[spelling] = (job, path)
    return tuple(kept)


def _places(path: Path) -> tuple[str, str]:
    """A path's place, and what file systems that ignore case, and ways to write an accent, take for the same."""
    place = resolved(path)
    return place, unicodedata.normalize("NFC", place.casefold())


def _is_same_source(one: Job, other: Job) -> bool:
    return identity(one.source) == identity(other.source)


def _nothing(inputs: Sequence[Path], ignored: Counter[str], unread: Sequence[tuple[Path, str]]) -> UndegradeError:
    for folder, reason in unread:
        return UndegradeError(f"{folder}: cannot be searched ({reason}); check its permissions.")
    names = ", ".join(map(str, inputs[:3])) + (", ..." if len(inputs) > 3 else "")
    count = ignored.total()
    others = f", only {count} other file{'s' * (count > 1)} ({in_words(ignored)})" if ignored else ""
    return UndegradeError(f"there are no pictures in {names}{others}; give another folder, or files.")


def _is_misspelt(inputs: Sequence[Path], output: Path) -> bool:
    """Whether the output for one file ends as the name of a file does, such as ``out.jgp``."""
    suffix = output.suffix[1:]
    one = len(inputs) == 1 and not is_folder(inputs[0])
    return one and suffix.isalpha() and len(suffix) < 6 and Format.of_name(output) is None
