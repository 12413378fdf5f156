"""What ``undegrade restore`` does without a task, and what that does to the picture: python reproduce/choice.py FOLDER

On every image of a folder of clean images: as it is, with white noise (8 bits, clipped, as files are), with the noise
of a camera (as `real` is validated on, and as it is trained on), and saved as a JPEG of known quality. Counts what the
rule chooses, and tells the PSNR of the damaged and of the resulting picture; one that is left alone is what it was. Of
a clean picture it tells the lowest PSNR against itself.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import undegrade
from undegrade.degrade import Degradation
from undegrade.degrade.jpeg import decode, encode
from undegrade.files.select_task import choose
from undegrade.metrics import psnr
from undegrade.tasks import TASKS


def noisy(clean: np.ndarray, sigma: float) -> np.ndarray:
    """White noise of this level, seeded, stored with 8 bits."""
    noise = np.random.default_rng(0).standard_normal(clean.shape, np.float32)
    return (clean + np.float32(sigma) * noise).round().clip(0, 255).astype(np.uint8)


def photographed(clean: np.ndarray, noise: Degradation, seed: int) -> np.ndarray:
    """The noise of a camera, seeded, stored with 8 bits."""
    x = torch.from_numpy(clean.astype(np.float32) / 255).permute(2, 0, 1)[None]
    y = noise(x, torch.Generator().manual_seed(seed)).image[0].permute(1, 2, 0).numpy()
    return (255 * y).round().clip(0, 255).astype(np.uint8)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--side", type=int, default=512, help="take the top left, at most so high and wide")
    parser.add_argument("--sigma", type=float, nargs="*", default=[3, 5, 8, 15])
    parser.add_argument("--quality", type=int, nargs="*", default=[95, 85, 75, 40])
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these rows, e.g. --cases clean")
    args = parser.parse_args()
    files = sorted(p for p in args.folder.iterdir() if p.is_file())[:: args.every]
    real = TASKS["real"]
    cases: list[tuple[str, float | Degradation | None, int | None]] = [("clean", None, None)]
    cases += [(f"sigma {s:g}", s, None) for s in args.sigma]
    cases += [(f"camera, {label}", noise, None) for label, noise in real.validation.items()]
    cases += [("camera, as in training", real.degradation, None)]
    cases += [(f"QF {q}", None, q) for q in args.quality]
    cases = [case for case in cases if args.cases is None or case[0] in args.cases]
    print(f"{len(files)} images\n")
    print("| case | left alone | gaussian | real | jpeg | PSNR before | after |\n|:--|--:|--:|--:|--:|--:|--:|")
    for name, noise, quality in cases:
        counts: Counter[str] = Counter()
        before, after = [], []
        for seed, file in enumerate(files):
            clean = np.asarray(Image.open(file).convert("RGB"))[: args.side, : args.side]
            y = clean
            if isinstance(noise, Degradation):
                y = photographed(clean, noise, seed)
            elif noise is not None:
                y = noisy(clean, noise)
            if quality is not None:
                y = decode(encode(clean, quality))
            pipeline = choose(y, undegrade.load, quality=quality).pipeline
            counts["left" if pipeline is None else pipeline.task.name] += 1
            before.append(psnr(clean, y))
            after.append(before[-1] if pipeline is None else psnr(clean, pipeline.restore(y)))
        told = f"{np.mean(before):.2f} | {np.mean(after):.2f}"
        if name == "clean":
            told = "the same | " + ("the same" if counts["left"] == len(files) else f"{min(after):.2f} at the lowest")
        print(
            f"| {name} | {counts['left']} | {counts['gaussian']} | {counts['real']} | {counts['jpeg']} | {told} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
