"""``undegrade restore`` on real small files: what it prints, what it writes, what it returns."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.cli.restoring import picture
from undegrade.cli import main
from undegrade.files import restore_file as files
from undegrade.image import read
from undegrade.inference.load import load_pipeline
from undegrade.weights.card import find_weights

pytestmark = pytest.mark.usefixtures("here")


def test_several_files_into_the_default_folder(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = picture("a.png")
    picture("b.jpg")
    picture("c.webp")
    picture("d.tif")
    assert main(["restore", "a.png", "b.jpg", "c.webp", "d.tif", "--weights", weights]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("a.png: 30 x 20, 8-bit colour PNG; estimated noise level ")
    assert "(8-bit levels); restored with gaussian-fast in " in lines[0]
    assert lines[0].endswith("-> restored/a.png")
    assert lines[4] == "4 restored"
    for name, kind in (("a.png", "PNG"), ("b.jpg", "JPEG"), ("c.webp", "WEBP"), ("d.tif", "TIFF")):
        with Pillow.open(f"restored/{name}") as file:
            assert (file.format, file.size) == (kind, (30, 20))
    expected = load_pipeline(weights=Path(weights))(pixels).image
    np.testing.assert_array_equal(read(Path("restored/a.png")).pixels, expected)


def test_a_bad_file_gets_a_sentence_and_the_others_go_on(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    picture("good.png")
    Path("bad.png").write_bytes(b"nothing of the kind")
    assert main(["restore", "bad.png", "missing.png", "good.png", "-o", "out", "--weights", weights]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("good.png: ")
    lines = err.splitlines()
    assert lines[0].startswith("undegrade restore: bad.png: ")
    assert lines[1].startswith("undegrade restore: missing.png: ")
    assert lines[2] == "undegrade restore: 2 of 3 files failed:"
    assert lines[3:] == ["  " + line.removeprefix("undegrade restore: ") for line in lines[:2]]
    assert out.splitlines()[1:] == ["1 restored; 2 failed"]
    assert [p.name for p in Path("out").iterdir()] == ["good.png"]


def test_one_file_to_a_name_of_another_format(weights: str) -> None:
    picture("a.jpg")
    assert main(["restore", "a.jpg", "-o", "deep/er/b.tiff", "--weights", weights]) == 0
    with Pillow.open("deep/er/b.tiff") as file:
        assert file.format == "TIFF"


def test_options_reach_the_pipeline(weights: str) -> None:
    pixels = picture("a.png")
    options = [
        "--self-ensemble",
        "--tile",
        "16",
        "--device",
        "cpu",
        "--task",
        "gaussian",
        "--variant",
        "fast",
    ]
    assert main(["restore", "a.png", "-o", "b.png", "--weights", weights, *options]) == 0
    expected = load_pipeline(weights=Path(weights))(pixels, self_ensemble=True).image
    np.testing.assert_array_equal(read(Path("b.png")).pixels, expected)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["a.png", "-o", "."], "would be overwritten"),
        (["a.png", "-o", "a.png"], "would be overwritten"),
        (["a.png", "-o", "sub/../a.png"], "would be overwritten"),
        (["a.png", "link.png", "-o", "sub"], None),
        (["a.png", "sub/a.png"], "both be written"),
        (["sub/b.png", "b.png", "-o", "sub"], "would be overwritten"),
        (["a.png", "sub/b.png", "-o", "x.png"], "is one file"),
        (["a.png", "--task", "gausian"], "no task"),
        (["a.png", "--task", "jpeg"], "for gaussian-fast"),
        (["a.png", "--variant", "full"], "for gaussian-fast"),
        (["a.png", "--tile", "2"], "--tile 2 is out of range; give a whole number of 4 to"),
        (["a.png", "--max-pixels", "0"], "--max-pixels 0 is out of range; give millions, e.g. 200, or leave it out."),
        (["a.png", "--max-pixels", "nan"], "--max-pixels nan is out of range"),
        (["a.png", "--name", "{stam}.png"], "unknown field {stam}"),
        (["a.png", "--json", "b.png"], "a picture's name"),
        (["a.png", "--json", "none/log"], "cannot be written"),
        (["a.png", "scan", "--json", "scan"], "a picture's name"),
        (["empty"], "no pictures in empty"),
        (["sub", "-o", "sub"], "would be overwritten"),
        (["sub", "a.png"], "sub/a.png and a.png would both be written to restored/a.png"),
        (["a.png", "--device", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_start_writes_nothing(
    weights: str, capsys: pytest.CaptureFixture[str], arguments: list[str], what: str | None
) -> None:
    picture("a.png")
    picture("sub/a.png")
    picture("sub/b.png")
    picture("b.png")
    Path("link.png").symlink_to("a.png")
    Path("scan").hardlink_to("b.png")
    Path("empty").mkdir()
    before = {p: p.read_bytes() for p in Path().rglob("*.png")}
    code = main(["restore", *arguments, "--weights", weights])
    err = capsys.readouterr().err
    if what is None:  # onto another folder's file that is not an input: allowed
        assert code == 0
        return
    assert code == 2
    assert what in err
    assert err.count("\n") == 1
    assert {p: p.read_bytes() for p in Path().rglob("*.png")} == before


def test_missing_weights(capsys: pytest.CaptureFixture[str]) -> None:
    picture("a.png")
    assert main(["restore", "a.png", "--weights", "none.safetensors"]) == 2
    assert "no such weights file" in capsys.readouterr().err
    assert not Path("restored").exists()


def test_an_output_folder_that_is_a_file(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    picture("a.png")
    Path("out").write_text("in the way")
    assert main(["restore", "a.png", "-o", "out", "--weights", weights]) == 1
    assert "the folder cannot be created" in capsys.readouterr().err


def test_a_format_that_cannot_hold_the_picture_fails_before_the_work(
    weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(np.zeros((4, 4), np.uint16)).save("deep.png")
    assert main(["restore", "deep.png", "-o", "x.jpg", "--weights", weights]) == 1
    assert "8 of its 16 bits" in capsys.readouterr().err


def test_16_bits_alpha_and_one_pixel(weights: str) -> None:
    Pillow.fromarray(np.random.default_rng(0).integers(0, 65536, (9, 9), np.uint16)).save("deep.png")
    Pillow.new("RGBA", (5, 6), (9, 8, 7, 77)).save("alpha.png")
    Pillow.new("RGB", (1, 1)).save("dot.jpg")
    assert main(["restore", "deep.png", "alpha.png", "dot.jpg", "-o", "out", "--weights", weights]) == 0
    assert read(Path("out/deep.png")).pixels.dtype == np.uint16
    alpha = read(Path("out/alpha.png")).alpha
    assert alpha is not None
    assert (alpha == 77).all()
    assert read(Path("out/dot.jpg")).pixels.shape == (1, 1, 3)


def test_interrupting_leaves_no_half_file(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    picture("a.png")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("undegrade.atomic.os.fsync", interrupted)
    assert main(["restore", "a.png", "-o", "out", "--weights", weights]) == 130
    assert not Path("out").exists()


def test_options_reach_the_work(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    picture("a.png")
    seen = []
    monkeypatch.setattr(
        files, "restore_file", lambda job, options, *_: seen.append(options) or files.Outcome(job.source, job.output)
    )
    assert main(["restore", "a.png", "--max-pixels", "0.5", "--strip-metadata", "--weights", weights]) == 1
    assert main(["restore", "a.png", "--weights", weights]) == 1
    assert seen == [files.FileOptions(max_pixels=500_000, strip_metadata=True), files.FileOptions()]


def test_a_sigma_for_weights_without_an_estimate_is_refused_in_their_terms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture("a.png")
    real = load_pipeline("real").card
    assert real is not None
    file = str(find_weights("real", [real.variant]))
    assert main(["restore", "a.png", "--sigma", "10", "--weights", file]) == 2
    error = capsys.readouterr().err
    assert "--sigma replaces an estimated noise level, but real estimates none" in error
    assert "gaussian" not in error


def test_half_precision_where_it_is_slower_is_left_out_and_said(
    weights: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for native in (False, True):
        monkeypatch.setattr("undegrade.inference.machine.multiplies_bfloat16", lambda native=native: native)
        assert main(["restore", "missing.png", "--weights", weights, "--device", "cpu", "--half"]) == 1
        assert ("would be slower in half precision" in capsys.readouterr().err) is not native


def test_too_few_threads_get_a_sentence(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "missing.png", "--weights", weights, "--threads", "0"]) == 2
    assert "--threads 0 is out of range; give a whole number of 1 to 1024." in capsys.readouterr().err
