#!/usr/bin/env bash
# Table I with the fast variant, trained from nothing on a CPU, then measured.
# Hardware: one CPU core with bfloat16, by estimate 160 minutes for 24,000 steps (0.43 seconds each with all parts learning, 0.36
# with the restorer alone), and seven minutes for measuring CBSD68 and Kodak24, half an hour more with Urban100. Expected: not
# known from nothing; the shipped weights, from four trainings (docs/models.md), make 28.85 dB on Kodak24 at sigma 50.
# Stop and start it again at will: training goes on where it was.
# Usage: reproduce/table-01-fast.sh IMAGES HELD_OUT BENCHMARKS
set -euo pipefail
run=runs/gaussian-fast
undegrade train gaussian --variant fast --recipe cpu --data "${1:?training images}" --val "${2:?held-out images}" --out "$run"
undegrade evaluate gaussian --weights "$run/gaussian-fast.safetensors" --data "${3:?benchmark images}" --json "$run/table-01.json"
