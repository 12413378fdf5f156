"""libvips: import at first use, suppress its warnings, and read and write open files with changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, BinaryIO, Self, TypeVar

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.image.picture import Picture, Pixels

LEAST = (8, 18)
"""The oldest libvips that foreign files are given to, as in pyproject.toml."""
Result = TypeVar("Result")
_ABOUT_ITSELF = ("source", "unable to call", "VipsForeignLoad")
"""How lines start that do not say what is wrong with a file: a decoder that looks beyond its end, and the like."""
_NOWHERE = logging.NullHandler()
_at_work: list[Any] = []
"""Images that the thread of :func:`aside` works on."""


def load() -> ModuleType:
    """The module pyvips. ``import undegrade`` and training do not need it."""
    # Without a logging handler its warnings would go to standard error. Real problems are raised as errors.
    logging.getLogger("pyvips").addHandler(_NOWHERE)  # once, however often this is called
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise UndegradeError(
            f"picture files need libvips, which cannot be loaded ({error}); run: pip install 'pyvips[binary]'."
        ) from error
    module: ModuleType = pyvips
    if not module.at_least_libvips(*LEAST):
        found = ".".join(str(module.version(i)) for i in range(3))
        raise UndegradeError(
            f"libvips {found} is older than {LEAST[0]}.{LEAST[1]}, and its decoders have known faults; run: "
            "pip install -U 'pyvips[binary]'."
        )
    return module


class Messages(logging.Handler):
    """What libvips and its decoders say while the block runs, and nothing that was said before.

    libvips has one buffer of errors for the whole process. It keeps what a decoder reported without failing, and would
    give it as the reason for the next file that fails.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._warnings) < 100:  # a broken file can have one for each tile
            self._warnings += str(record.getMessage()).removeprefix("VIPS: ").splitlines()

    def __enter__(self) -> Self:
        load().vips_lib.vips_error_clear()
        logging.getLogger("pyvips").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("pyvips").removeHandler(self)
        load().vips_lib.vips_error_clear()

    def warnings(self) -> list[str]:
        """What a decoder said although it went on, each line once."""
        vips = load()
        kept = vips.ffi.string(vips.vips_lib.vips_error_buffer()).decode("utf-8", "replace").splitlines()
        return list(dict.fromkeys(line.strip() for line in [*kept, *self._warnings] if line.strip()))

    def reason(self, error: BaseException) -> str:
        """Why libvips failed, in one line: the last cause in its errors, else in its warnings, else no cause."""
        said = str(getattr(error, "detail", "") or "").splitlines()
        for lines in (said, [line for line in self._warnings if not line.startswith("error in tile")]):
            causes = [line.strip() for line in lines if line.strip() and not line.strip().startswith(_ABOUT_ITSELF)]
            # "vipspng: libpng read error" and the like come last, behind what is wrong.
            vague = ("read error", "load error", "unable to read pixels", "unable to open source for input")
            precise = [c for c in causes if not c.endswith(vague) and not c.startswith("(")]
            if precise:
                return precise[-1]
        return said[0].strip() if said and said[0].strip() else "the decoder gives no reason"


def aside(work: Callable[[], Result]) -> Result:
    """Call a function that uses libvips, in a thread of its own if this is the main thread.

    Python raises KeyboardInterrupt in the main thread. Inside a callback from C it would be printed and forgotten; the
    main thread therefore only waits. When interrupted, it stops what libvips does, waits for it, and raises.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    found: list[Result] = []
    failed: list[BaseException] = []
    done = threading.Event()

    def call() -> None:
        try:
            found.append(work())
        except BaseException as error:  # raised again below, by the thread that asked
            failed.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=call, name="libvips", daemon=True)
    try:
        thread.start()
        done.wait()
    except BaseException:
        _wait_for_end(thread, done)
        raise
    finally:
        _at_work.clear()
    if failed:
        try:
            raise failed[0]
        finally:
            failed.clear()  # the error holds this frame, and the frame the error
    return found[0]


def _wait_for_end(thread: threading.Thread, done: threading.Event) -> None:
    # The thread reads or writes a file that its owner is about to close: leave it no earlier.
    while thread.is_alive() and not done.is_set():
        try:
            for image in list(_at_work):
                image.set_kill(True)
            done.wait(0.1)
        except KeyboardInterrupt:
            continue


def watched(image: Any) -> Any:
    """An image that :func:`aside` may stop, with everything that is computed from it."""
    image.set_progress(True)
    _at_work.append(image)
    return image


def image_of(picture: Picture, *, colour: bool) -> Any:
    """A libvips image with the pixels, alpha and resolution of a picture; grey as three channels if ``colour``."""
    vips = load()

    def plane(array: Pixels) -> Any:
        h, w = array.shape[:2]
        kind = "uchar" if array.dtype == np.uint8 else "ushort"
        return vips.Image.new_from_memory(np.ascontiguousarray(array), w, h, array.size // (h * w), kind)

    image = plane(picture.pixels)
    if picture.grey and colour:
        image = image.bandjoin([image, image])
    if picture.alpha is not None:
        image = image.bandjoin(plane(picture.alpha))
    wide = picture.pixels.dtype == np.uint16
    kind = ("rgb16" if wide else "srgb") if colour or not picture.grey else ("grey16" if wide else "b-w")
    x, y = picture.resolution
    return watched(image.copy(interpretation=kind, xres=x, yres=y))


def attach(image: Any, name: str, block: bytes | None) -> None:
    """Add metadata to an image under libvips' field name."""
    if block is not None:
        image.set_type(load().GValue.blob_type, name, block)


class Patched:
    """A file as a libvips source, with some bytes replaced or added after its end.

    Args:
        file: the file to read.
        patches: offset -> bytes.
    """

    def __init__(self, file: BinaryIO, patches: Mapping[int, bytes]) -> None:
        self._file, self._patches = file, patches
        self._at, self._end = 0, max([file.seek(0, 2), *(place + len(patch) for place, patch in patches.items())])
        self.source = load().SourceCustom()
        self.source.on_read(self._read)
        self.source.on_seek(self._seek)

    def _read(self, size: int) -> bytes | None:
        try:
            self._file.seek(self._at)
            data = self._file.read(size)
        except OSError:  # exceptions cannot pass through C code
            return None
        start, stop = self._at, min(self._at + size, self._end)
        for place, patch in self._patches.items():
            low, high = max(place, start), min(place + len(patch), stop)
            if low < high:
                data = data.ljust(high - start, b"\0")
                data = data[: low - start] + patch[low - place : high - place] + data[high - start :]
        self._at += len(data)
        return data

    def _seek(self, offset: int, whence: int) -> int:
        self._at = offset + (0, self._at, self._end)[whence]
        return self._at


class Spliced:
    """A libvips target that inserts a block near the start of the written file.

    Args:
        file: the file to write.
        skip: called with the first bytes; returns how many of them precede the block, and how many it replaces.
        block: the bytes to insert.
    """

    def __init__(self, file: BinaryIO, skip: Callable[[bytes], tuple[int, int]], block: bytes) -> None:
        self._file, self._skip, self._block = file, skip, block
        self._started = False
        self._error: OSError | None = None
        self.target = load().TargetCustom()
        self.target.on_write(self._write)

    def __enter__(self) -> Spliced:
        return self

    def __exit__(self, *_: object) -> None:
        if self._error is not None:  # libvips itself reports only that writing failed
            raise self._error

    def _write(self, data: bytes) -> int:
        try:
            if self._started:
                self._file.write(data)
            else:
                after, dropped = self._skip(bytes(data))
                self._file.write(bytes(data[:after]) + self._block + bytes(data[after + dropped :]))
                self._started = True
        except OSError as error:  # exceptions cannot pass through C code
            self._error = error
            return -1
        return len(data)
