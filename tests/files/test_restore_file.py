"""One file in, one file out, and an answer whatever happens."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from PIL import ImageCms

import undegrade
from tests.pictures import make_photo
from undegrade import UndegradeError
from undegrade.degrade import NOISE_GRAIN_QUALITY, GaussianNoise
from undegrade.degrade.base import Quantity
from undegrade.files.estimate import Estimate
from undegrade.files.plan import Job
from undegrade.files.restore_file import FileOptions, Outcome, Status, restore_file, std_path
from undegrade.files.selector import Selector
from undegrade.image import Format, Picture, read, write
from undegrade.inference.estimates import Estimates
from undegrade.inference.look import Look
from undegrade.inference.options import Restoration, RestoreOptions
from undegrade.inference.select_task import Choice
from undegrade.tasks import TASKS

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CARD = SimpleNamespace(variant="fast", sha256="ab12")

NO_MEMORY = "there is not enough memory; close other programs, cut the picture up, or use another device."


class Inverting:
    """A pipeline that can be told from no pipeline, or that raises what it is given."""

    task, card = TASKS["gaussian"], CARD
    quantity = GaussianNoise.quantity
    engine = SimpleNamespace(int8=False)

    def __init__(self, raises: BaseException | None = None) -> None:
        self.raises = raises
        self.asked: Any = None

    def run(self, pixels: np.ndarray, options: RestoreOptions, progress: Any = None, look: Any = None) -> Restoration:
        self.asked = (options, progress)
        if self.raises is not None:
            raise self.raises
        return Restoration(~pixels, np.array([12.5]), np.array([0.5]))


def look_that_finds(quantity: Quantity, value: float | list[float], pixels: np.ndarray) -> Look:
    """What a model found, the same at every place."""
    found = Estimates(quantity.size, pixels)
    if isinstance(value, list):
        found.drawn[:] = NOISE_GRAIN_QUALITY.encode(*(torch.tensor([v]) for v in value)).numpy().reshape(3, 1, 1)
    else:
        found.drawn[:] = value / quantity.scale
    found.mean[:], found.spread[:] = found.drawn, 0.5 / quantity.scale
    return Look(None, found, pixels.shape[:2], numbers=found.in_units(quantity))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    Pillow.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)).save(tmp_path / "a.png")
    return Job(tmp_path / "a.png", tmp_path / "deep" / "er" / "a.png")


def test_a_file_is_restored(job: Job) -> None:
    pipeline, fractions = Inverting(), []
    seen = []
    options = FileOptions(RestoreOptions(self_ensemble=True, tile=64, seed=3))
    outcome = restore_file(
        job,
        options,
        lambda image, quality, progress: seen.append((image, quality)) or Choice(pipeline, "because"),
        fractions.append,
    )
    assert outcome.seconds > 0
    outcome.seconds = 0
    assert outcome == Outcome(
        job.source,
        job.output,
        Status.RESTORED,
        width=5,
        height=4,
        channels=3,
        bits=8,
        format="png",
        choice="because",
        task="gaussian",
        variant="fast",
        weights_sha256="ab12",
        estimate=Estimate("noise level", "8-bit levels", (12.5,), (0.5,), "noise level 12.5 (8-bit levels)",
                          ("noise level",), ("8-bit levels",)),
    )  # fmt: skip
    np.testing.assert_array_equal(read(job.output).pixels, ~read(job.source).pixels)
    np.testing.assert_array_equal(seen[0][0], read(job.source).pixels)
    assert pipeline.asked == (options.restore, fractions.append)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("format", [None, Format.PNG])
def test_the_result_of_a_format_that_is_only_read_is_a_png(tmp_path: Path, left: bool, format: Format | None) -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    Pillow.fromarray(pixels).save(tmp_path / "a.bmp")
    job = Job(tmp_path / "a.bmp", tmp_path / "a.bmp.png", format)
    outcome = restore_file(job, FileOptions(), lambda *_: Choice(None if left else Inverting()))
    assert (outcome.status, outcome.format) == (Status.LEFT if left else Status.RESTORED, "bmp")
    assert outcome.notes == ("BMP is only read, the result is a PNG",)
    assert read(job.output).format is Format.PNG
    np.testing.assert_array_equal(read(job.output).pixels, pixels if left else ~pixels)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UndegradeError("this cannot be; do that."), "this cannot be; do that."),
        (MemoryError(), NO_MEMORY),
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), NO_MEMORY),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            NO_MEMORY,
        ),
        (
            OSError(5, "Input/output error"),
            "the system reports an error (Input/output error); check file, folder and permissions.",
        ),
        (ValueError("odd\nand more"), "unexpected ValueError: odd; please report it."),
        (RecursionError(), "unexpected RecursionError; please report it."),
        (RuntimeError("shapes differ"), "unexpected RuntimeError: shapes differ; please report it."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_file_provokes_becomes_a_sentence(job: Job, error: Exception, reason: str) -> None:
    outcome = restore_file(job, FileOptions(), lambda *_: Choice(Inverting(error)))
    assert (outcome.status, outcome.reason) == (Status.FAILED, reason)
    assert (outcome.width, outcome.task, outcome.estimate) == (5, "gaussian", None)
    assert not job.output.parent.exists()


def test_out_of_memory_is_what_torch_really_raises(job: Job) -> None:
    outcome = restore_file(job, FileOptions(), lambda *_: torch.empty(1 << 60))
    assert outcome.reason == NO_MEMORY


def test_an_interrupt_is_not_the_files_fault(job: Job) -> None:
    with pytest.raises(KeyboardInterrupt):
        restore_file(job, FileOptions(), lambda *_: Choice(Inverting(KeyboardInterrupt())))


def test_the_reason_does_not_repeat_the_name(job: Job) -> None:
    job.source.write_bytes(b"nothing of the kind")
    outcome = restore_file(job, FileOptions(), lambda *_: Choice(Inverting()))
    assert outcome.reason is not None
    assert str(job.source) not in outcome.reason
    assert outcome.width is outcome.task is outcome.format is None


def test_too_many_pixels(job: Job) -> None:
    assert restore_file(job, FileOptions(max_pixels=20), lambda *_: Choice(Inverting())).status == "restored"
    refused = restore_file(job, FileOptions(max_pixels=19), lambda *_: Choice(Inverting()))
    assert refused.status == "failed"
    assert "pixels, over the limit" in str(refused.reason)


def test_metadata_are_left_out_on_request(job: Job) -> None:
    exif = Pillow.Exif()
    exif[271] = "a camera"
    Pillow.new("RGB", (5, 4)).save(job.source, exif=exif, icc_profile=PROFILE)
    for strip in (False, True):
        assert restore_file(job, FileOptions(strip_metadata=strip), lambda *_: Choice(Inverting())).status == "restored"
        with Pillow.open(job.output) as file:
            assert file.info["icc_profile"] == PROFILE
            assert (271 in file.getexif()) is not strip


def test_metadata_that_are_left_out_need_not_fit_the_format(job: Job) -> None:
    exif = Pillow.Exif()
    exif[271] = "x" * 70_000
    Pillow.new("RGB", (5, 4)).save(job.source, exif=exif)
    to_jpeg = Job(job.source, job.output.with_suffix(".jpg"), Format.JPEG)
    refused = restore_file(to_jpeg, FileOptions(), lambda *_: Choice(Inverting()))
    assert refused.reason is not None
    assert "--strip-metadata" in refused.reason
    assert restore_file(to_jpeg, FileOptions(strip_metadata=True), lambda *_: Choice(Inverting())).status == "restored"


@pytest.mark.parametrize(
    ("task", "options", "estimate", "kept"),
    [
        ("jpeg", FileOptions(), 58.0, True),
        ("jpeg", FileOptions(RestoreOptions(strength=0.5)), 58.0, True),
        ("jpeg", FileOptions(RestoreOptions(level=20)), 58.0, False),  # the person knows better
        ("jpeg", FileOptions(), 30.0, False),  # saved before, at a lower quality
        ("gaussian", FileOptions(), 12.0, False),
    ],
)
def test_the_repair_of_a_jpeg_keeps_to_what_its_file_says(
    tmp_path: Path, task: str, options: FileOptions, estimate: float, kept: bool
) -> None:
    Pillow.fromarray(make_photo(48, 64, 0)).save(tmp_path / "a.jpg", quality=60)
    given = read(tmp_path / "a.jpg").pixels
    changed = given ^ 31

    class Changing(Inverting):
        def run(self, pixels: np.ndarray, options: RestoreOptions, progress: Any, look: Any) -> Restoration:
            return Restoration(changed.copy(), np.array([estimate]), np.array([0.5]))

    pipeline = Changing()
    pipeline.task, pipeline.quantity = TASKS[task], TASKS[task].degradation.quantity
    outcome = restore_file(
        Job(tmp_path / "a.jpg", tmp_path / "b.png", Format.PNG), options, lambda *_: Choice(pipeline)
    )
    assert outcome.status is Status.RESTORED
    result = read(tmp_path / "b.png").pixels
    assert np.array_equal(result, changed) is not kept
    if kept:
        assert np.abs(result.astype(float) - given).mean() < np.abs(changed.astype(float) - given).mean()


@pytest.mark.parametrize(
    ("quality", "format", "options", "estimate", "left"),
    [
        (95, None, FileOptions(), 93.0, True),
        (95, Format.JPEG, FileOptions(RestoreOptions(strength=0.5)), 93.0, True),
        (95, Format.PNG, FileOptions(), 93.0, False),
        (95, None, FileOptions(RestoreOptions(strength=1.5)), 93.0, False),  # wanted more than the repair
        (95, None, FileOptions(strip_metadata=True), 93.0, False),  # saved again in any case
        (95, None, FileOptions(), 50.0, False),  # saved before
        (90, None, FileOptions(), 88.0, False),
    ],
)
def test_a_fine_jpeg_is_not_made_worse_by_saving_it_again(
    tmp_path: Path, quality: int, format: Format | None, options: FileOptions, estimate: float, left: bool
) -> None:
    source = tmp_path / "a.jpg"
    Pillow.fromarray(make_photo(48, 64, 0)).save(source, quality=quality)

    class Changing(Inverting):
        task = TASKS["jpeg"]
        quantity = TASKS["jpeg"].degradation.quantity

        def run(self, pixels: np.ndarray, options: RestoreOptions, progress: Any, look: Any) -> Restoration:
            assert not left  # the work is not done for nothing
            return Restoration(pixels ^ 31, np.array([estimate]), np.array([0.5]))

        def look(self, pixels: np.ndarray, options: RestoreOptions, progress: Any) -> Look:
            return look_that_finds(self.quantity, estimate, pixels)

    job = Job(source, tmp_path / "out" / "a", format)
    outcome = restore_file(job, options, lambda *_: Choice(Changing()))
    assert outcome.status is (Status.LEFT if left else Status.RESTORED)
    assert (job.output.read_bytes() == source.read_bytes()) is left
    assert ("left alone" in (outcome.choice or "")) is left
    assert outcome.estimate is not None
    assert outcome.estimate.values == pytest.approx((estimate,))


def test_a_record_is_json(job: Job) -> None:
    outcome = restore_file(job, FileOptions(), lambda *_: Choice(Inverting()))
    record = json.loads(json.dumps(outcome.to_record()))
    assert record["source"] == str(job.source)
    assert record["status"] == "restored"
    assert record["reason"] is None
    assert record["estimate"] == {
        "name": "noise level",
        "unit": "8-bit levels",
        "values": [12.5],
        "spread": [0.5],
        "words": "noise level 12.5 (8-bit levels)",
        "names": ["noise level"],
        "units": ["8-bit levels"],
    }
    assert Outcome(job.source, None).to_record()["output"] is None


def test_sixteen_bits_that_use_little_of_their_range_are_restored_in_it(tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :48] / 48
    noisy = np.rint(400 + 300 * x * y + np.random.default_rng(0).normal(0, 20, x.shape)).astype(np.uint16)
    write(tmp_path / "a.png", Picture(noisy), Format.PNG)
    job, pipeline = Job(tmp_path / "a.png", tmp_path / "b.png"), undegrade.load("gaussian")
    outcome = restore_file(job, FileOptions(), lambda *_: Choice(pipeline))
    assert f"{noisy.min()} was taken as black and {noisy.max()} as white" in outcome.notes[0]
    restored = read(tmp_path / "b.png").pixels
    assert np.std(restored - (400 + 300 * x * y)) < 8
    outcome = restore_file(job, FileOptions(RestoreOptions(white=65535)), lambda *_: Choice(pipeline))
    assert not outcome.notes


def test_a_given_white_serves_the_choice_of_the_task_too(tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :48] / 48
    noisy = np.rint(400 + 300 * x * y + np.random.default_rng(0).normal(0, 20, x.shape)).astype(np.uint16)
    write(tmp_path / "a.tif", Picture(noisy, format=Format.TIFF), Format.TIFF)
    job, options = Job(tmp_path / "a.tif", tmp_path / "b.tif"), FileOptions(RestoreOptions(white=1023))
    outcome = restore_file(job, options, Selector(options=options.restore, device="cpu"))
    assert (outcome.status, outcome.reason) == (Status.RESTORED, None)
    assert outcome.choice is not None
    assert "noise level" in outcome.choice
    assert np.std(read(job.output).pixels - (400 + 300 * x * y)) < 8


def test_at_strength_0_the_file_is_copied(tmp_path: Path) -> None:
    Pillow.fromarray(make_photo(48, 64, 0)).save(tmp_path / "a.jpg", quality=60)
    options = FileOptions(RestoreOptions(strength=0))
    pipeline = undegrade.load("gaussian", device="cpu")
    outcome = restore_file(Job(tmp_path / "a.jpg", tmp_path / "b.jpg"), options, lambda *_: Choice(pipeline))
    assert (outcome.status, outcome.estimate is not None) == (Status.RESTORED, True)
    assert (tmp_path / "b.jpg").read_bytes() == (tmp_path / "a.jpg").read_bytes()


def test_the_choice_of_the_task_is_part_of_the_progress(tmp_path: Path) -> None:
    Pillow.fromarray(make_photo(48, 64, 0)).save(tmp_path / "a.png")
    job, told, looking = Job(tmp_path / "a.png", tmp_path / "b.png"), [], []
    universal = undegrade.load("universal", device="cpu")
    for strength in (1, 0.5):
        told.clear()
        options = RestoreOptions(tile=32, strength=strength)

        def select(pixels: Any, quality: Any, progress: Any, options: RestoreOptions = options) -> Choice:
            look = universal.look(pixels, options, progress)
            looking[:] = told
            return Choice(universal, "because", universal, look)

        assert restore_file(job, FileOptions(options), select, told.append).status is Status.RESTORED
        assert len(looking) > 1
        assert looking[-1] == pytest.approx(0.2)
        assert told == sorted(told)
        assert told[-1] == 1


class Sampling(Inverting):
    def run(self, pixels: np.ndarray, options: RestoreOptions, progress: Any, look: Any) -> Restoration:
        return Restoration(~pixels, None, std=np.full(pixels.shape[:2], 0.01, np.float32))


def test_a_result_that_cannot_be_written_leaves_nothing_beside_it(job: Job) -> None:
    job.output.mkdir(parents=True)
    outcome = restore_file(job, FileOptions(RestoreOptions(samples=2)), lambda *_: Choice(Sampling()))
    assert outcome.status is Status.FAILED
    assert list(job.output.parent.iterdir()) == [job.output]


def test_a_picture_that_is_left_alone_keeps_no_deviation_of_an_earlier_run(job: Job) -> None:
    options = FileOptions(RestoreOptions(samples=2))
    assert restore_file(job, options, lambda *_: Choice(Sampling())).status is Status.RESTORED
    assert std_path(job.output).exists()
    assert restore_file(job, options, lambda *_: Choice(None, "left alone")).status is Status.LEFT
    assert list(job.output.parent.iterdir()) == [job.output]


class Universal(Inverting):
    """Changes every pixel by 31 levels."""

    task, quantity = TASKS["universal"], NOISE_GRAIN_QUALITY

    def run(self, pixels: np.ndarray, options: RestoreOptions, progress: Any, look: Look) -> Restoration:
        assert look.numbers is not None
        return Restoration(pixels ^ 31, *look.numbers)


@pytest.mark.parametrize(("noise", "kept"), [(0.0, True), (15.0, False)])
def test_the_coefficients_of_a_noisy_jpeg_do_not_bind(tmp_path: Path, noise: float, kept: bool) -> None:
    """They describe the noise, which is to go."""
    Pillow.fromarray(make_photo(48, 64, 0)).save(tmp_path / "a.jpg", quality=60)
    pipeline, given = Universal(), read(tmp_path / "a.jpg").pixels
    choice = Choice(pipeline, "because", pipeline, look_that_finds(NOISE_GRAIN_QUALITY, [noise, 0.0, 60.0], given))
    job = Job(tmp_path / "a.jpg", tmp_path / "b.png", Format.PNG)
    outcome = restore_file(job, FileOptions(), lambda *_: choice)
    assert outcome.status is Status.RESTORED
    assert np.array_equal(read(tmp_path / "b.png").pixels, given ^ 31) is not kept
    assert outcome.estimate is not None
    found = dict(zip(outcome.estimate.names, outcome.estimate.values, strict=True))
    assert found["noise level"] == pytest.approx(noise, abs=0.01)
    assert found["JPEG quality"] == pytest.approx(60, abs=0.1)


def test_a_picture_that_is_left_alone_has_its_estimate(job: Job) -> None:
    pipeline, given = Universal(), read(job.source).pixels
    choice = Choice(None, "left alone: clean", pipeline, look_that_finds(NOISE_GRAIN_QUALITY, [0.0, 0.0, 100.0], given))
    outcome = restore_file(job, FileOptions(), lambda *_: choice)
    assert outcome.status is Status.LEFT
    assert job.output.read_bytes() == job.source.read_bytes()
    assert outcome.estimate is not None
    assert outcome.estimate.words == "no noise, no compression"
    assert outcome.task is None
