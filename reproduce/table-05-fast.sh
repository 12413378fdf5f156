#!/usr/bin/env bash
# Table V with the fast variant, trained from nothing on a CPU, and files made small by ordinary resizers; bicubic beside
# both.
# Hardware: one CPU core, by estimate an hour for training and half an hour for measuring. Expected: not known yet, it was
# only rehearsed.
# Stop and start it again at will: training goes on where it was.
# Usage: reproduce/table-05-fast.sh IMAGES HELD_OUT BENCHMARKS
set -euo pipefail
run=runs/sr-x4-fast
vdir train sr-x4 --variant fast --recipe cpu --data "${1:?training images}" --val "${2:?held-out images}" --out "$run"
vdir evaluate sr-x4 --weights "$run/sr-x4-fast.safetensors" --data "${3:?benchmark images}" --json "$run/table-05.json"
