"""The notebook in examples/: its cells run, and what it shows is what they give."""

import base64
import importlib.util
import io
import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebook", EXAMPLES / "notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pictures(output: dict[str, Any]) -> list[np.ndarray]:
    data = output.get("data", {})
    found = re.findall(r'base64,([^"]+)"', "".join(data.get("text/html", [])))
    found += [data["image/png"]] if "image/png" in data else []
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))).astype(float) for text in found]


def words(output: dict[str, Any]) -> str:
    """What it says, without what depends on the machine, its compiler and on versions."""
    text = "".join(output.get("text", output.get("data", {}).get("text/plain", [])))
    return re.sub(r"\d+(\.\d+)+", "N", text).replace("compiled kernels", "ONNX Runtime N")


def test_the_notebook_is_what_its_cells_give(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(EXAMPLES / "dog-noisy.png", tmp_path)
    monkeypatch.chdir(tmp_path)
    stored, made = json.loads(script.NOTEBOOK.read_text(encoding="utf-8")), script.made()
    assert {key: stored[key] for key in ("nbformat", "nbformat_minor", "metadata")} == {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": made["metadata"],
    }
    assert len({cell["id"] for cell in stored["cells"]}) == len(stored["cells"]) == len(made["cells"])
    shown = 0
    for old, new in zip(stored["cells"], made["cells"], strict=True):
        assert (old["cell_type"], old["source"]) == (new["cell_type"], new["source"])
        assert [words(output) for output in old.get("outputs", [])] == [words(o) for o in new.get("outputs", [])]
        for before, after in zip(old.get("outputs", []), new.get("outputs", []), strict=True):
            for a, b in zip(pictures(before), pictures(after), strict=True):
                assert np.abs(a - b).mean() < 2
                shown += 1
    assert shown == 6
    assert (tmp_path / "dog-restored.png").is_file()


def test_the_page_of_the_site_has_every_cell_and_what_it_gives(script: ModuleType) -> None:
    notebook = json.loads(script.NOTEBOOK.read_text(encoding="utf-8"))
    page = script.page(notebook)
    for cell in notebook["cells"]:
        assert "".join(cell["source"]) in page
    assert page.count("```python\n") == sum(cell["cell_type"] == "code" for cell in notebook["cells"])
    assert page.count("base64,") == 6
    assert "```text\n0 " in page  # what is printed
    recipe = (EXAMPLES.parent / "Makefile").read_text(encoding="utf-8").partition("\ndocs:")[2].partition("\n\n")[0]
    assert "examples/notebook.py --page build/notebook.md" in recipe  # which the page below includes
    assert '"build/notebook.md"' in (EXAMPLES.parent / "docs" / "example.md").read_text(encoding="utf-8")


def test_it_is_small_and_knows_no_place(script: ModuleType) -> None:
    text = script.NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 300_000
    assert "/home/" not in text
    assert " at 0x" not in text
