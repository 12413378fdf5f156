"""``undegrade restore --draft``: faster, close to the result in float32, and said."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.cli.restoring import picture, records
from tests.inference.drafts import random_draft
from undegrade.cli import main
from undegrade.inference import engines, machine
from undegrade.inference.machine import multiplies_int8
from undegrade.native import NotCompiled, convolution
from undegrade.weights.card import read_card

needs_avx2 = pytest.mark.skipif(not multiplies_int8(), reason="int8 is refused on this CPU")


@needs_avx2
def test_a_draft_is_close_and_the_record_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = random_draft(tmp_path / "weights")
    picture("a.png")
    for out, options in (("exact", ["--device", "cpu"]), ("draft", ["--draft"])):
        assert main(["restore", "a.png", "-o", out, "--weights", str(weights), "--json", "-", *options]) == 0
    exact, draft = records(capsys.readouterr().out)
    assert "a draft, computed in int8" in draft["notes"]
    assert exact["notes"] == []
    file = weights.with_name("gaussian-fast-int8.safetensors")
    assert (draft["weights_sha256"], exact["weights_sha256"]) == (read_card(file).sha256, read_card(weights).sha256)
    one, other, given = (np.asarray(Pillow.open(path)).astype(int) for path in ("exact/a.png", "draft/a.png", "a.png"))
    assert 0 < np.square(one - other).mean() < 0.02 * np.square(one - given).mean()


def test_what_does_not_go_with_a_draft_is_said_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = random_draft(tmp_path / "weights")
    picture("a.png")
    command = ["restore", "a.png", "--weights", str(weights), "--draft"]
    for options, sentence in (
        (["--uncertainty"], "hold in float32 only; leave out --uncertainty or --draft"),
        (["--half"], "int8 by ONNX Runtime on the CPU; leave out draft"),
        (["--device", "cuda"], "int8 by ONNX Runtime on the CPU; leave out draft"),
    ):
        assert main([*command, *options]) == 2
        assert sentence in capsys.readouterr().err
    monkeypatch.setattr(engines, "multiplies_int8", lambda: False)
    assert main(command) == 2
    assert "this CPU has no AVX2" in capsys.readouterr().err
    assert not Path("restored").exists()


@pytest.mark.parametrize(("compiled", "vnni"), [(True, False), (False, False), (True, True)])
def test_a_draft_of_a_shipped_model_is_left_out_where_float32_is_faster(
    compiled: bool, vnni: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check() -> None:
        if not compiled:
            raise NotCompiled("there is no C++ compiler.")

    monkeypatch.setattr(convolution, "check", check)
    monkeypatch.setattr(machine, "has_vnni", lambda: vnni)
    monkeypatch.chdir(tmp_path)
    assert main(["restore", "missing.png", "--task", "jpeg", "--draft"]) == 1
    assert ("are faster here than a draft in int8; --draft is left out" in capsys.readouterr().err) is (
        compiled and not vnni
    )
    main(["restore", "missing.png", "--task", "jpeg", "--draft", "--engine", "onnx"])
    assert "--draft is left out" not in capsys.readouterr().err
