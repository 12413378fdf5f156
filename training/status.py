"""What the relay does, how far each model is, and what its last cooldowns brought."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from entries import read_queue, standing
from lock import folder, is_stopped, running

from undegrade.train.log import Log


def status() -> None:
    number = running()
    state = "is paused" if number is not None and is_stopped(number) else "runs"
    print(f"the relay {state} (process {number})" if number is not None else "no relay runs")
    with suppress(OSError):
        for line in (folder() / "relay.log").read_text().splitlines()[-3:]:
            print(f"  {line}")
    for entry in read_queue():
        run = folder() / entry.name
        found = standing(entry, folder())
        rows = Log(run / "metrics.jsonl").rows()
        time_here = f"{found.seconds / 3600:.1f} hours" if found.seconds else "not trained here yet"
        print(f"\n{entry.name}: {found.pixels:.4g} of {entry.pixels:.3g} pixels, {time_here}")
        if rows and found.pixels:
            last = rows[-1]
            age = (time.time() - (run / "metrics.jsonl").stat().st_mtime) / 60
            speed = last["pixels_per_s"]
            print(f"  step {last['step']}, {speed / 1e3:.0f} kpixel/s, {age:.0f} minutes ago; {validation(run)}")
        for result in found.results[-3:]:
            gain = result["mean_gain"]
            verdict = "none are shipped" if gain is None else f"{gain:+.3f} dB against the shipped ones"
            cases = "  ".join(f"{case} {value:.2f}" for case, value in result["psnr"].items())
            print(f"  cooled down at {result['stable_pixels']:.3g} pixels: {cases}; {verdict}")


def validation(run: Path) -> str:
    """The last line of a run's validation curve, in words."""
    rows = [row for row in Log(run / "metrics.jsonl").rows() if any(k.startswith("psnr/") for k in row)]
    if not rows:
        return "not validated yet"
    cases = "  ".join(f"{k.removeprefix('psnr/')} {v:.2f}" for k, v in rows[-1].items() if k.startswith("psnr/"))
    return f"validation at step {rows[-1]['step']}: {cases} dB"
