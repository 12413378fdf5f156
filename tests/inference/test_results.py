"""Results: what they are made of, how they show themselves, and files of them."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from tests.image import annotated
from tests.image.checks import ICC
from tests.inference.models import image, pipeline
from tests.pictures import make_photo
from undegrade import restore
from undegrade.errors import UndegradeError
from undegrade.files.plan import Job
from undegrade.files.restore_file import FileOptions, restore_file
from undegrade.image import Format, Picture, read, write
from undegrade.inference import load
from undegrade.inference.options import Restoration
from undegrade.inference.pipeline import Pipeline
from undegrade.inference.select_task import Choice
from undegrade.inference.showing import SIDE
from undegrade.model.architecture import Architecture
from undegrade.tasks import TASKS

PHOTO = make_photo(60, 80, 2)


@pytest.fixture
def universal(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """A random model in the place of the universal one."""
    task = TASKS["universal"]
    made = pipeline(next(iter(task.variants.values())), "universal")
    monkeypatch.setattr(load, "_shipped", lambda *_: made)
    return made


def chosen(monkeypatch: pytest.MonkeyPatch, universal: Pipeline, restored: bool) -> None:
    """Let the choice be this one, after a look."""
    monkeypatch.setattr(
        load, "select_task", lambda x, p, options, quality=None, progress=None: Choice(
            universal if restored else None, f"because of {quality}", universal, universal.look(x, options)
        ),
    )  # fmt: skip


# --- files ---


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp"])
@pytest.mark.parametrize("task", ["gaussian", "jpeg"])
def test_a_path_gives_what_the_command_line_writes(tmp_path: Path, name: str, task: str) -> None:
    path, out = tmp_path / name, tmp_path / "out.png"
    Pillow.fromarray(PHOTO).save(path, **({"quality": 40} if name == "a.jpg" else {}))
    pipeline = load.load_pipeline(task, device="cpu")
    restore_file(Job(path, out, Format.PNG), FileOptions(), lambda *_: Choice(pipeline))
    for given in (path, str(path), read(path)):
        found = restore(given, task, device="cpu")
        assert isinstance(found, Restoration)
        np.testing.assert_array_equal(found.image, read(out).pixels)
        found.save(tmp_path / "saved.png")
        assert (tmp_path / "saved.png").read_bytes() == out.read_bytes()
    np.testing.assert_array_equal(pipeline.estimate(path), pipeline.estimate(read(path).pixels))
    held = pipeline.hold(path, (0, 20), (0, 20)).restored()
    np.testing.assert_array_equal(held, pipeline(read(path).pixels).image[:20, :20])


def test_the_universal_model_decides_about_files(
    tmp_path: Path, universal: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jpg"
    Pillow.fromarray(np.dstack([PHOTO])).save(path, quality=75)
    for restored in (True, False):
        chosen(monkeypatch, universal, restored)
        fractions: list[float] = []
        found = restore(path, progress=fractions.append)
        expected = universal(path)
        np.testing.assert_array_equal(found.image, expected.image if restored else read(path).pixels)
        np.testing.assert_allclose(found.estimate, expected.estimate)
        assert "because of 75" in repr(found)
        assert fractions[-1] == 1.0


@pytest.mark.parametrize("strength", [0, 1])
def test_a_picture_that_nothing_was_done_to_is_copied_byte_for_byte(
    tmp_path: Path, universal: Pipeline, monkeypatch: pytest.MonkeyPatch, strength: float
) -> None:
    chosen(monkeypatch, universal, strength == 0)  # left alone at 1
    path, out = tmp_path / "a.jpg", tmp_path / "out.jpg"
    Pillow.fromarray(PHOTO).save(path, quality=75)
    monkeypatch.chdir(tmp_path)
    found = restore("a.jpg", strength=strength)
    monkeypatch.chdir("/")
    found.save(out)
    assert out.read_bytes() == path.read_bytes()
    found.save(path)  # over itself
    assert path.read_bytes() == out.read_bytes()
    found.save(tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png").pixels, read(path).pixels)
    found.save(out, strip_metadata=True)
    assert out.read_bytes() != path.read_bytes()
    Pillow.fromarray(~PHOTO).save(path, quality=75)  # no longer that picture
    found.save(out)
    assert np.abs(read(out).pixels - found.image.astype(float)).mean() < 10
    path.unlink()
    found.save(out)
    found.image[:] = 255 - found.image  # changed by the user
    found.save(tmp_path / "changed.jpg")
    assert np.abs(read(tmp_path / "changed.jpg").pixels - found.image.astype(float)).mean() < 10


def test_a_file_that_is_left_alone_has_no_deviation(
    tmp_path: Path, universal: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen(monkeypatch, universal, False)
    Pillow.fromarray(PHOTO).save(tmp_path / "a.png")
    found = restore(tmp_path / "a.png", samples=2)
    np.testing.assert_array_equal(found.std, np.zeros((60, 80), np.float32))
    assert found.std.dtype == np.float32
    assert restore(tmp_path / "a.png").std is None


@pytest.mark.parametrize("restored", [True, False])
def test_the_universal_model_keeps_kind_and_alpha(
    universal: Pipeline, monkeypatch: pytest.MonkeyPatch, restored: bool
) -> None:
    chosen(monkeypatch, universal, restored)
    rgba = np.dstack([PHOTO, PHOTO[::-1, :, 0]])
    expected = universal(rgba).image if restored else rgba
    np.testing.assert_array_equal(restore(rgba), expected)
    np.testing.assert_array_equal(restore(np.stack([rgba, rgba]))[1], expected)
    image = restore(Pillow.fromarray(rgba))
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image), expected)
    tensor = restore(torch.from_numpy(rgba).permute(2, 0, 1))
    assert torch.equal(tensor, torch.from_numpy(expected).permute(2, 0, 1))


def test_a_file_keeps_its_alpha(tmp_path: Path, fast: Pipeline) -> None:
    alpha = np.ascontiguousarray(PHOTO[::-1, :, 0])
    write(tmp_path / "a.png", Picture(PHOTO, alpha))
    found = fast(tmp_path / "a.png")
    assert found.image.shape == (60, 80, 4)
    np.testing.assert_array_equal(found.image[..., 3], alpha)
    found.save(tmp_path / "b.tif")
    np.testing.assert_array_equal(read(tmp_path / "b.tif").alpha, alpha)
    with pytest.raises(UndegradeError, match="would lose its transparency as jpeg"):
        found.save(tmp_path / "b.jpg")
    assert not (tmp_path / "b.jpg").exists()
    twice = pipeline(Architecture(restorer="fast", scale=2, params=3), "sr-x2")(tmp_path / "a.png")
    assert twice.image.shape == (120, 160, 4)


def test_what_was_noticed_in_a_file_is_in_the_result(tmp_path: Path, fast: Pipeline) -> None:
    """It was on the command line and in records, but Python users never saw it."""
    frames = [Pillow.fromarray(make_photo(20, 24, seed)) for seed in (0, 1)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    result = fast(tmp_path / "a.gif")
    assert result.notes == tuple(read(tmp_path / "a.gif").notes)
    assert any("first frame" in note for note in result.notes)
    assert fast(make_photo(20, 24, 0)).notes == ()
    assert Restoration(PHOTO, None).notes == ()


def test_files_that_are_not_there_and_addresses(fast: Pipeline) -> None:
    for given, what in (("none.png", "no such file"), ("https://example.org/a.png", "web address")):
        for ask in (fast, fast.estimate, fast.estimate_map, lambda x: restore(x, "gaussian", device="cpu")):
            with pytest.raises(UndegradeError, match=what):
                ask(given)


# --- save ---


@pytest.mark.parametrize("format", Format.written())
def test_the_metadata_of_the_file_are_kept(tmp_path: Path, fast: Pipeline, format: Format) -> None:
    (tmp_path / "a").write_bytes(annotated.talkative(format))
    found = fast(tmp_path / "a")
    out = tmp_path / f"b.{format}"
    found.save(out)
    given, kept = read(tmp_path / "a"), read(out)
    assert kept.format is format
    assert kept.metadata.icc == given.metadata.icc
    assert kept.metadata.exif is not None
    assert kept.metadata.xmp is not None
    np.testing.assert_allclose(kept.resolution, given.resolution, rtol=1e-3)
    found.save(out, strip_metadata=True)
    assert (read(out).metadata.exif, read(out).metadata.icc) == (None, given.metadata.icc)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_what_pillow_knows_of_the_file_is_kept(tmp_path: Path, fast: Pipeline, orientation: int) -> None:
    path = tmp_path / "a.jpg"
    exif = annotated.exif(orientation)
    Pillow.fromarray(PHOTO).save(path, exif=exif, icc_profile=ICC, dpi=(300, 150), quality=95)
    with Pillow.open(path) as opened:
        found = fast(opened)
    found.save(tmp_path / "b.png")
    kept = read(tmp_path / "b.png")
    assert kept.metadata.icc == ICC
    np.testing.assert_array_equal(kept.pixels, np.rot90(np.asarray(found.image), {1: 0, 3: 2, 6: 3, 8: 1}[orientation]))
    with Pillow.open(tmp_path / "b.png") as saved:
        assert saved.getexif()[0x010F] == "Maker"
        assert saved.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize(
    ("make", "name", "dtype"),
    [
        (lambda: PHOTO, "a.png", np.uint8),
        (lambda: PHOTO.astype(np.float32) / 255, "a.png", np.uint16),
        (lambda: PHOTO.astype(np.float64) / 255, "a.jpg", np.uint8),
        (lambda: PHOTO[..., 0].astype(np.uint16) * 257, "a.tif", np.uint16),
        (lambda: torch.from_numpy(PHOTO).permute(2, 0, 1), "a.webp", np.uint8),
        (lambda: torch.from_numpy(PHOTO).permute(2, 0, 1).float() / 255, "a.avif", np.uint8),
        (lambda: np.dstack([PHOTO, PHOTO[..., 0]]) / 255, "a.png", np.uint16),
    ],
)
def test_arrays_and_tensors_become_files(tmp_path: Path, fast: Pipeline, make: Any, name: str, dtype: type) -> None:
    found = fast(make())
    found.save(str(tmp_path / name))
    saved = read(tmp_path / name)
    assert saved.pixels.dtype == dtype
    restored = found.image.permute(1, 2, 0).numpy() if isinstance(found.image, torch.Tensor) else found.image
    peak = np.iinfo(restored.dtype).max if np.issubdtype(restored.dtype, np.integer) else 1.0
    expected = np.clip(restored / peak, 0, 1)
    np.testing.assert_allclose(saved.array / np.iinfo(dtype).max, expected, atol=0.12 if name[2] in "jwa" else 1e-5)
    assert saved.metadata.exif is None


@pytest.mark.parametrize("name", ["a", "a.gif", "a.bmp", "a.jgp", "a.txt"])
def test_names_that_cannot_be_saved(tmp_path: Path, fast: Pipeline, name: str) -> None:
    with pytest.raises(UndegradeError, match=r"end it in .png, .jpg, .webp, .tif or .avif"):
        fast(PHOTO).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_batches_and_nonsense_are_not_saved(tmp_path: Path, fast: Pipeline) -> None:
    with pytest.raises(UndegradeError, match="batch of 2 images; restore and save them one at a time"):
        fast(np.stack([PHOTO, PHOTO])).save(tmp_path / "a.png")
    with pytest.raises(UndegradeError, match="not the name of a file"):
        fast(PHOTO).save(3)  # type: ignore[arg-type]


def test_a_result_that_a_program_made_itself_is_saved_too(tmp_path: Path) -> None:
    Restoration(PHOTO, None).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png").pixels, PHOTO)


# --- shown ---


def test_they_say_what_they_are(fast: Pipeline, shipped: Pipeline) -> None:
    words = r"noise level \d+\.\d \(8-bit levels\)"
    found = fast(PHOTO)
    assert re.fullmatch(rf"Restoration\(array \(60, 80, 3\) uint8; {words}\)", repr(found))
    assert re.fullmatch(words, found.words)
    assert repr(fast(torch.zeros(1, 9, 7))).startswith("Restoration(tensor (1, 9, 7) float32; noise level ")
    assert repr(fast(Pillow.fromarray(PHOTO))).startswith("Restoration(PIL image 80 x 60 RGB; noise level ")
    assert repr(Restoration(PHOTO, None)) == "Restoration(array (60, 80, 3) uint8)"
    assert re.fullmatch(r"EstimateMap\(estimate \[[\d.]+\]; map \(1, 15, 20\)\)", repr(fast.estimate_map(PHOTO)))
    assert re.fullmatch(r"Pipeline\(gaussian-fast on cpu, (compiled kernels|ONNX Runtime [\d.]+)\)", repr(shipped))


def pictures(html: str) -> list[np.ndarray]:
    found = re.findall(r'width="(\d+)" height="(\d+)" [^>]*base64,([^"]+)"', html)
    shown = [Pillow.open(io.BytesIO(base64.b64decode(data))) for _, _, data in found]
    assert len({size[:2] for size in found}) == 1  # before and after have one size on the screen
    return [np.asarray(picture).astype(int) for picture in shown]


@pytest.mark.parametrize(
    "make",
    [
        lambda: PHOTO,
        lambda: PHOTO[..., 0],
        lambda: PHOTO / 255,
        lambda: PHOTO.astype(np.uint16) * 257,
        lambda: torch.from_numpy(PHOTO).permute(2, 0, 1),
        lambda: Pillow.fromarray(PHOTO),
        lambda: np.dstack([PHOTO, PHOTO[..., 0]]),
        lambda: np.stack([PHOTO, PHOTO]),
    ],
)
def test_notebooks_show_before_and_after(fast: Pipeline, make: Any) -> None:
    given = make()
    before, after = pictures(fast(given)._repr_html_())
    expected = PHOTO[..., 0] if isinstance(given, np.ndarray) and given.ndim == 2 else PHOTO
    assert np.abs(before - expected).mean() < 6  # a JPEG
    assert np.abs(after - before).mean() > 0.5
    assert ("the first of 2 images" in fast(given)._repr_html_()) is (getattr(given, "ndim", 0) == 4)


def test_of_large_images_the_middle_is_shown(fast: Pipeline, tmp_path: Path) -> None:
    given = (image(SIDE + 40, SIDE + 20, 3) * 255).astype(np.uint8)
    html = fast(given)._repr_html_()
    assert [picture.shape for picture in pictures(html)] == [(SIDE, SIDE, 3)] * 2
    assert "the middle of the image" in html
    assert len(html) < 1_000_000
    write(tmp_path / "a.png", Picture(PHOTO))
    twice = pipeline(Architecture(restorer="fast", scale=2, params=3), "sr-x2")(tmp_path / "a.png")
    small, large = pictures(twice._repr_html_())
    assert (small.shape, large.shape) == ((60, 80, 3), (120, 160, 3))


def test_words_cannot_be_markup(fast: Pipeline) -> None:
    found = fast(PHOTO)
    assert found.origin is not None
    object.__setattr__(found.origin, "reason", "<script>")
    assert "&lt;script&gt;" in found._repr_html_()


# --- devices ---


def test_another_device_is_another_pipeline(shipped: Pipeline) -> None:
    torch_engine = load.load_pipeline("gaussian", "fast", engine="torch", device="cpu")
    for given in (shipped, torch_engine):
        assert given.to("cpu").engine is given.engine
        with pytest.raises(UndegradeError, match="the device 'nonsense' cannot be used here; try cpu"):
            given.to("nonsense")
        assert given.engine.device == "cpu"
    # As to a GPU: PyTorch, with the same weights and the same results.
    moved = Pipeline(shipped.engine.to("cpu:0"), shipped.task, shipped.card)
    assert moved.engine.software.startswith("PyTorch")
    np.testing.assert_allclose(moved(PHOTO / 255).image, shipped(PHOTO / 255).image, atol=2e-5)
    copied = torch_engine.to(torch.device("cpu:0"))
    assert copied.engine.model is not torch_engine.engine.model
    np.testing.assert_array_equal(copied(PHOTO).image, torch_engine(PHOTO).image)
