#!/usr/bin/env bash
# Table V with the fast variant, trained from nothing on a CPU, and files made small by ordinary resizers; bicubic beside
# both.
# Hardware: one CPU core with bfloat16; an hour of it, shared with other work, for training, 6 minutes for measuring. Expected:
# 30.03 / 26.68 / 24.18 dB on Set5 / BSD100 / Urban100, and 0.7 or more above bicubic enlargement where a file was made small by
# an ordinary resizer.
# Stop and start it again at will: training goes on where it was.
# Usage: reproduce/table-05-fast.sh IMAGES HELD_OUT BENCHMARKS
set -euo pipefail
run=runs/sr-x4-fast
undegrade train sr-x4 --variant fast --recipe cpu --steps 6000 --rest-from 2500 \
    --data "${1:?training images}" --val "${2:?held-out images}" --out "$run"
undegrade evaluate sr-x4 --weights "$run/sr-x4-fast.safetensors" --data "${3:?benchmark images}" --json "$run/table-05.json"
