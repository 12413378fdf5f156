#!/usr/bin/env bash
# Table VII and Fig. 4 with the fast variant: the restorer starts as that of the gaussian task, the rest from nothing.
# Hardware: a CPU core with bfloat16, by estimate an hour for training; 70 minutes for measuring. The shipped weights were made in
# two parts (their card tells); as a whole this was not run.
# Stop and start it again at will: training goes on where it was.
# Usage: reproduce/table-07-fast.sh IMAGES HELD_OUT BENCHMARKS
set -euo pipefail
run=runs/jpeg-fast
start=src/undegrade/weights/gaussian-fast.safetensors
undegrade train jpeg --variant fast --recipe cpu --init "$start" --init-parts restorer --steps 8000 --lead 1000 --rest-from 3000 \
    --lr 8e-4 --data "${1:?training images}" --val "${2:?held-out images}" --out "$run"
undegrade evaluate jpeg --weights "$run/jpeg-fast.safetensors" --data "${3:?benchmark images}" --json "$run/table-07.json"
python reproduce/fig-04.py "$run/table-07.json" --out "$run/fig-04"
