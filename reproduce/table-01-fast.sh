#!/usr/bin/env bash
# Table I with the fast variant, trained from nothing on a CPU, then measured.
# Hardware: 2 CPU cores, about 100 minutes for training and a quarter of an hour for measuring. Expected: 28.3 dB on Kodak24 at sigma 50, within about 0.1 dB (one run was made).
# Stop and start it again at will: training goes on where it was.
# Usage: reproduce/table-01-fast.sh IMAGES HELD_OUT BENCHMARKS
set -euo pipefail
run=runs/gaussian-fast
vdir train gaussian --variant fast --recipe cpu --data "${1:?training images}" --val "${2:?held-out images}" --out "$run"
vdir evaluate gaussian --weights "$run/gaussian-fast.safetensors" --data "${3:?benchmark images}" --json "$run/table-01.json"
