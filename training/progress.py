"""The curves of a run of `undegrade train` as a picture: loss terms, validation PSNR, learning rate.

    python training/progress.py runs/gaussian-fast --out docs/figures/gaussian-fast-training.png

Needs matplotlib: pip install 'undegrade[analyse]'. A run that is still going can be looked at.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from undegrade.analysis.figures.progress import draw_progress, read_log
from undegrade.errors import UndegradeError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("--out", type=Path, help="PNG, or JPEG for a page (default: progress.png in the run's folder)")
    args = parser.parse_args()
    out = args.out or args.run / "progress.png"
    print(f"-> {draw_progress(read_log(args.run / 'metrics.jsonl'), out)}")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UndegradeError as error:
        sys.exit(f"progress.py: {error}")
