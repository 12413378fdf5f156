#!/usr/bin/env bash
# Is it worth starting the JPEG model's restorer as that of the Gaussian denoiser? Two trainings of equal length, everything
# learning: from nothing, and from the shipped denoiser's restorer. Their PSNR on the held-out crops stands side by side, by step.
# The rate is low: at the recipe's highest one, Muon throws a trained restorer back (restoration 0.018 to 0.031 from step 450 to 600).
# Hardware: one CPU core with bfloat16, a quarter of an hour with 1,000 steps each. Expected: docs/models.md (600 steps).
# Stop and start it again at will: training goes on where it was.
# Usage: [STEPS=1000] reproduce/jpeg-trunk.sh IMAGES HELD_OUT
set -euo pipefail
images=${1:?training images} held_out=${2:?held-out images}
steps=${STEPS:-1000}
runs=${RUNS:-runs/jpeg-trunk}
common=(--variant fast --recipe cpu --lead 0 --steps "$steps" --rest-from "$steps" --validate-every "$((steps / 4))" --lr 3e-4
        --data "$images" --val "$held_out")
undegrade train jpeg "${common[@]}" --out "$runs/nothing"
undegrade train jpeg "${common[@]}" --init src/undegrade/weights/gaussian-fast.safetensors --init-parts restorer --out "$runs/trunk"
for run in nothing trunk; do
  echo "== $run"
  grep -o '"step": [0-9]*\|"psnr/[^,]*' "$runs/$run/metrics.jsonl" | grep -B1 -A2 'psnr/10"' | tr '\n' ' ' | sed 's/-- /\n/g'
  echo
done
