"""Makes ``notebook.ipynb``: the cells below with what they print and show.

    python examples/notebook.py
    python examples/notebook.py --page FILE    # runs them for a page of the documentation instead

No Jupyter is needed; a test runs the cells and compares.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NOTEBOOK = HERE / "notebook.ipynb"

CELLS = [
    """# undegrade in a notebook

A photograph with noise of standard deviation 25 (of 255), which the program is not told. `docs/python.md` has
everything else on one page.""",
    "import undegrade",
    "A file gives a result, which shows itself:",
    """result = undegrade.restore("dog-noisy.png", "gaussian")
result""",
    "What was found, and how sure that is:",
    'result.words, f"+- {result.spread[0]:.2f}"',
    "The file's metadata go into what is saved. `.png` here; `.jpg`, `.webp`, `.tif` and `.avif` are written too.",
    'result.save("dog-restored.png")',
    """## Many images

Load a model once. Arrays, tensors and images of Pillow come back as what they were.""",
    """import numpy as np
from PIL import Image

pipeline = undegrade.load("gaussian-fast")
pipeline""",
    """dog = Image.open("dog-noisy.png").crop((112, 112, 272, 272))
pipeline(dog).image""",
    """array = np.asarray(dog)
pipeline(array)""",
    """## How much, and how sure

`strength` says how much is removed. `samples` draws from the posterior of the latent: the result is the mean of the
restorations, and `std` says where they differ.""",
    'for strength in (0, 0.5, 1):\n    print(strength, f"{pipeline(array, strength=strength).image.std():.1f}")',
    """found = pipeline(array, samples=4, seed=0)
Image.fromarray((found.std / found.std.max() * 255).astype(np.uint8))""",
    "What is found at each place, without restoring:",
    "pipeline.estimate_map(array)",
]
"""Text (what is no Python) and code, in turn."""


def is_code(cell: str) -> bool:
    """Whether a cell is code."""
    try:
        ast.parse(cell)
    except SyntaxError:
        return False
    return not cell.startswith("#")


def run(code: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a cell as a notebook does; what it prints, and the value of its last line."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": printed.getvalue().splitlines(True)})
    if value is not None:
        outputs.append({"data": shown(value), "metadata": {}, "output_type": "execute_result"})
    return outputs


def shown(value: Any) -> dict[str, Any]:
    """A value as text, and as markup or picture if it knows how."""
    data: dict[str, Any] = {"text/plain": [re.sub(" at 0x[0-9A-F]+", "", repr(value))]}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = [value._repr_html_()]
    elif hasattr(value, "_repr_png_"):
        data["image/png"] = base64.b64encode(value._repr_png_()).decode("ascii")
    return data


def made() -> dict[str, Any]:
    """The notebook, after running its cells in this folder of the process."""
    names: dict[str, Any] = {}
    cells: list[dict[str, Any]] = []
    count = 0
    for number, text in enumerate(CELLS):
        cell: dict[str, Any] = {"id": f"cell-{number}", "metadata": {}, "source": text.splitlines(True)}
        if is_code(text):
            count += 1
            outputs = run(text, names)
            for output in outputs:
                if output["output_type"] == "execute_result":
                    output["execution_count"] = count
            cell |= {"cell_type": "code", "execution_count": count, "outputs": outputs}
        else:
            cell["cell_type"] = "markdown"
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def page(notebook: dict[str, Any]) -> str:
    """A notebook as Markdown, with its pictures in it."""
    parts: list[str] = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {"text/plain": output.get("text", [])})
            if "text/html" in data:
                parts.append("".join(data["text/html"]))
            elif "image/png" in data:
                parts.append(f'<p><img alt="the result" src="data:image/png;base64,{data["image/png"]}"></p>')
            else:
                parts.append("```text\n" + "".join(data["text/plain"]).rstrip("\n") + "\n```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="run the cells of the notebook")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write a page in Markdown, and leave the notebook")
    wanted = parser.parse_args().page
    target = None if wanted is None else wanted.absolute()
    os.chdir(HERE)
    notebook = made()
    Path("dog-restored.png").unlink()
    if target is None:
        NOTEBOOK.write_text(json.dumps(notebook, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(notebook), encoding="utf-8")
