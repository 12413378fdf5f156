#!/usr/bin/env bash
# Table IV with the fast variant, trained from nothing on a CPU, and files made small by ordinary resizers; bicubic beside
# both.
# Hardware: one CPU core with bfloat16, by estimate half an hour for training; 10 minutes for measuring. The shipped weights were
# trained in two parts (their card tells): 34.70 / 30.40 / 27.92 dB on Set5 / BSD100 / Urban100 at g_2.0.
# Stop and start it again at will: training goes on where it was.
# Usage: reproduce/table-04-fast.sh IMAGES HELD_OUT BENCHMARKS
set -euo pipefail
run=runs/sr-x2-fast
undegrade train sr-x2 --variant fast --recipe cpu --data "${1:?training images}" --val "${2:?held-out images}" --out "$run"
undegrade evaluate sr-x2 --weights "$run/sr-x2-fast.safetensors" --data "${3:?benchmark images}" --json "$run/table-04.json"
