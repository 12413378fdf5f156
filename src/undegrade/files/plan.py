"""Which files a batch reads and where each result goes: decided and checked before anything is started.

Only paths are looked at, never what is in the files. Where a result may not go, nothing is started at all:
onto an input, whatever it is called there (a link to it, another spelling), or onto another result.
"""

from __future__ import annotations

import os
import stat
import string
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.image import Format

Identity = tuple[int, int] | str
"""What two names of one file have in common: device and inode; the place of a file that is not there."""


@dataclass(frozen=True)
class Job:
    """One file to restore.

    Attributes:
        source: the picture, as it was named or found.
        output: where its result goes.
        format: what to write; None for the format that comes in.
    """

    source: Path
    output: Path
    format: Format | None = None


@dataclass(frozen=True)
class Plan:
    """What a batch does.

    Attributes:
        jobs: in order; no two outputs are one file, and none is a source.
        ignored: how many files in folders are no pictures by their names.
        results: how many pictures are left out for being the results of others; see :func:`plan`.
        unread: folders that cannot be searched, with the reason.
    """

    jobs: tuple[Job, ...]
    ignored: int = 0
    results: int = 0
    unread: tuple[tuple[Path, str], ...] = ()


class Naming:
    """How results are called: a template such as ``{stem}-clean{suffix}``.

    A template that ends in ``{suffix}`` keeps each file's format, one that ends in ``.png`` writes PNG.

    Args:
        template: text with fields in braces; a name, without folders.
        fields: more fields than ``stem`` and ``suffix``, the same for every file.

    Raises:
        UndegradeError: unknown fields, or names that are no picture file's.
    """

    def __init__(self, template: str = "{stem}{suffix}", fields: Mapping[str, str] | None = None) -> None:
        self._template = template
        self._fields = dict(fields or {})
        known = ["stem", "suffix", *self._fields]
        try:
            parts = list(string.Formatter().parse(template))
        except ValueError as error:
            raise self._refusal(f"is no template ({error})", "write a brace that is meant as {{ or }}") from error
        for _, field, spec, conversion in parts:
            if field is not None and (field not in known or spec or conversion):
                choice = ", ".join(f"{{{name}}}" for name in known)
                raise self._refusal(f"has the unknown field {{{field}}}", f"use {choice}")
        keeps = bool(parts) and parts[-1][1] == "suffix"
        example = Path(self._filled("x", ".png"))
        self.format = None if keeps else Format.of_name(example)
        """What the template asks for; None for the format that comes in."""
        if not keeps and self.format is None:
            raise self._refusal("gives names that are no picture's", "end it in {suffix} or a suffix such as .png")

    def __call__(self, source: Path) -> str:
        """The name of a file's result.

        Raises:
            UndegradeError: the template's fields lead out of the folder.
        """
        return self._filled(source.stem, source.suffix)

    def _filled(self, stem: str, suffix: str) -> str:
        name = self._template.format(stem=stem, suffix=suffix, **self._fields)
        if name in ("", ".", "..") or any(c in name for c in "/\\\0"):
            raise self._refusal(f"gives {name!r}, which is no name of a file", "leave folders to -o")
        return name

    def _refusal(self, what: str, remedy: str) -> UndegradeError:
        return UndegradeError(f"--name {self._template!r} {what}; {remedy}.")


def plan(inputs: Sequence[Path], output: Path, naming: Naming | None = None, *, skip_existing: bool = False) -> Plan:
    """What to restore, and where to.

    Args:
        inputs: files, taken whatever their names, and folders, searched by :func:`search`, whose
            tree is kept.
        output: a folder; for one file a picture's name will do.
        naming: how results are called; None for as they came.
        skip_existing: results that are there will stay. Among the inputs such results are then left out, so that
            a batch that writes beside its inputs can go on after a stop.

    Raises:
        UndegradeError: a result would replace an input or another result, or there is nothing to do.
    """
    if Format.of_name(output) is not None and not _is_folder(output):
        return Plan((_into_one_file(inputs, output, naming),))
    naming = naming or Naming()
    jobs: list[Job] = []
    unread: list[tuple[Path, str]] = []
    ignored = 0
    for given in inputs:
        if _is_folder(given):
            found = search(given, apart=output)
            jobs += [Job(f, output / f.relative_to(given).with_name(naming(f)), naming.format) for f in found.files]
            ignored += found.ignored
            unread += found.unread
        else:
            jobs.append(Job(given, output / naming(given), naming.format))
    if not jobs:
        raise _nothing(inputs, ignored, unread)
    kept = _without_results(jobs) if skip_existing else jobs
    return Plan(_checked(kept), ignored, len(jobs) - len(kept), tuple(unread))


@dataclass(frozen=True)
class Found:
    """What is in a folder: pictures in order, how many other files, and folders below that cannot be read."""

    files: tuple[Path, ...]
    ignored: int
    unread: tuple[tuple[Path, str], ...]


def search(folder: Path, apart: Path) -> Found:
    """The files below a folder whose names are pictures', each folder's own before those of its folders.

    Nothing hidden is taken, and links to folders are not followed; a link to a file is that file.

    Args:
        folder: where to look.
        apart: a folder that is passed over, unless it is ``folder`` itself: the results are no inputs.
    """
    files: list[Path] = []
    unread: list[tuple[Path, str]] = []
    ignored = 0
    visited = {identity(apart)} - {identity(folder)}
    ahead = [folder]
    while ahead:
        here = ahead.pop()
        if (this := identity(here)) in visited:  # no links are followed, but Windows has other ways to make a loop
            continue
        visited.add(this)
        try:
            with os.scandir(here) as entries:
                there = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            unread.append((here, error.strerror or str(error)))
            continue
        below = []
        for entry in there:
            if entry.is_dir(follow_symlinks=False):
                below.append(here / entry.name)
            elif Format.of_name(Path(entry.name)) is not None and _may_be_read(entry):
                files.append(here / entry.name)
            else:
                ignored += 1
        ahead += reversed(below)
    return Found(tuple(files), ignored, tuple(unread))


def identity(path: Path) -> Identity:
    """The same for every name of a file: links to it, and other spellings where the file system takes them."""
    # new/../a.png is not there yet, but will be a.png once new is made.
    return _on_disk(path) or _on_disk(Path(_place(path))) or _place(path)


def _into_one_file(inputs: Sequence[Path], output: Path, naming: Naming | None) -> Job:
    if len(inputs) > 1:
        raise UndegradeError(f"{output} is one file, but there are {len(inputs)} inputs; name a folder with -o.")
    source = inputs[0]
    if _is_folder(source):
        raise UndegradeError(f"{output} is one file, but {source} is a folder; name a folder with -o.")
    if naming is not None:
        raise UndegradeError(f"-o {output} is a file's name already; leave out --name, or name a folder with -o.")
    # A name that asks for a format gets it; the name that came in keeps the format that came in.
    job = Job(source, output, None if output.name == source.name else Format.of_name(output))
    return _checked([job])[0]


def _without_results(jobs: Sequence[Job]) -> list[Job]:
    """The jobs whose sources are no other job's result."""
    maker = {identity(job.output): identity(job.source) for job in jobs}
    return [job for job in jobs if maker.get(own := identity(job.source), own) == own]


def _checked(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """The jobs, each once, if no result replaces an input or another result."""
    inputs = {identity(job.source) for job in jobs}
    taken: dict[str, Job] = {}
    spelled: dict[str, Job] = {}
    kept: list[Job] = []
    for job in jobs:
        if identity(job.output) in inputs:
            raise UndegradeError(f"{job.output} is an input and would be overwritten; name another folder with -o.")
        place = _place(job.output)
        # What file systems that ignore case, and ways to write an accent, take for one name.
        spelling = unicodedata.normalize("NFC", place.casefold())
        other = taken.get(place)
        if other is None and spelling in spelled and _ignores_case(job.output.parent):
            other = spelled[spelling]
        if other is None:
            taken[place] = spelled[spelling] = job
            kept.append(job)
        elif identity(other.source) != identity(job.source):
            raise UndegradeError(
                f"{other.source} and {job.source} would both be written to {other.output}; restore them apart."
            )
    return tuple(kept)


def _nothing(inputs: Sequence[Path], ignored: int, unread: Sequence[tuple[Path, str]]) -> UndegradeError:
    for folder, reason in unread:
        return UndegradeError(f"{folder}: cannot be searched ({reason}); check its rights.")
    names = ", ".join(map(str, inputs[:3])) + (", ..." if len(inputs) > 3 else "")
    others = f", only {ignored} other file{'s' * (ignored > 1)}" if ignored else ""
    return UndegradeError(f"there are no pictures in {names}{others}; name another folder, or files.")


def _place(path: Path) -> str:
    """Where a name is, with no link in its folders; a link at its end is what writing replaces."""
    # Not Path.resolve, which raises where links form a loop.
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118


def _on_disk(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # reading it will say why
        return False


def _may_be_read(entry: os.DirEntry[str]) -> bool:
    """Whether it is an ordinary file, no pipe or device; a broken link is let through for reading to complain."""
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return True


def _ignores_case(folder: Path) -> bool:
    """Whether two names that differ in case alone are one file there."""
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        with tempfile.NamedTemporaryFile(prefix=".undegrade-case-", dir=folder) as file:
            name = Path(file.name)
            return name.with_name(name.name.upper()).exists()
    except OSError:
        return False
