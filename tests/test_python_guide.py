"""The code of docs/python.md runs as it stands, from the first block to the last."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import make_photo

ROOT = Path(__file__).parents[1]
CODE = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.S | re.M)


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = make_photo(40, 56, 1)
    Image.fromarray(pixels).save("photo.png")
    noisy = pixels / 255 + np.random.default_rng(0).normal(0, 24 / 255, pixels.shape)
    names: dict[str, object] = {"image": noisy.astype(np.float32)}
    assert len(CODE) > 4
    for block in CODE:
        exec(compile(block, "docs/python.md", "exec"), names)  # the project's own page
    assert names["restored"].shape == pixels.shape  # type: ignore[attr-defined]
    assert names["found"].std.shape == pixels.shape[:2]  # type: ignore[attr-defined]
    assert names["maps"].map.shape == (1, 10, 14)  # type: ignore[attr-defined]
    assert Path("restored.png").is_file()
    assert "there is no task 'gausian'" in capsys.readouterr().out
