"""The picture at the top of the README: a noisy photo, and what the program makes of it.

    python examples/before_after.py

The photo is a crop of a CC0 photograph (of the gb82 set; it is among the training images), to which noise of standard
deviation 25 was added before it was stored with 8 bits. Nothing is told to the program but the file.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import undegrade

HERE = Path(__file__).parent


def main() -> None:
    noisy = np.asarray(Image.open(HERE / "dog-noisy.png").convert("RGB"))
    found = undegrade.load("gaussian")(noisy)
    gap = np.full((noisy.shape[0], 12, 3), 255, np.uint8)
    sheet = Image.fromarray(np.concatenate([noisy, gap, found.image], axis=1))
    canvas = Image.new("RGB", (sheet.width, sheet.height + 30), "white")
    canvas.paste(sheet, (0, 30))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(16)
    draw.text((4, 5), "before", fill="black", font=font)
    text = f"after: noise level {found.estimate[0]:.1f} found and removed"
    draw.text((noisy.shape[1] + 16, 5), text, fill="black", font=font)
    canvas.save(HERE.parent / "docs" / "before-after.jpg", quality=90)


if __name__ == "__main__":
    main()
