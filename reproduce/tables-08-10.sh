#!/usr/bin/env bash
# Tables VIII and X in small: the restorer alone against the full loss, at the same number of steps, by the fast variant.
#   alone   the naive blind baseline: no latent, restoration term only (Table X, first row; Table VIII, DIV2K)
#   all     every term, the adversarial one included, but lambda_2 = 0 (Table X, last row)
#   known   the same with lambda_2 = 1: beyond the paper, f(T) is the strengths of the sensor's noise
#   sidd    the baseline trained on SIDD's pairs only, where they are given (Table VIII, SIDD)
# Measured on synthetic camera noise over HELD_OUT (printed at the end), on CC15, and on SIDD's validation blocks where
# BENCHMARKS has them; submissions for SIDD and DND are written beside the weights where BENCHMARKS has those.
# Hardware: one CPU core with bfloat16; STEPS=1500 took 6, 17 and 14 minutes beside other work (0.2, 0.7 and 0.6 seconds a step; the
# discriminator is most of it). Expected of STEPS=1500 on CC15: 36.78, 36.59 and 36.53 dB.
# Stop and start it again at will: training goes on where it was.
# Usage: [STEPS=6000] reproduce/tables-08-10.sh IMAGES HELD_OUT BENCHMARKS [SIDD_MEDIUM]
set -euo pipefail
images=${1:?training images} held_out=${2:?held-out images} benchmarks=${3:?benchmark images} pairs=${4:-}
steps=${STEPS:-6000}
runs=${RUNS:-runs/tables-08-10}
common=(--variant fast --recipe cpu --steps "$steps" --rest-from "$steps" --data "$images" --val "$held_out")

measure() {
  local run=$(dirname "$1")
  undegrade evaluate real --weights "$1" --data "$benchmarks" --json "$run/result.json" --submission "$run/submission"
}

undegrade train real "${common[@]}" --alone --out "$runs/alone"
undegrade train real "${common[@]}" --lambda-adv 1e-3 --out "$runs/all"
undegrade train real "${common[@]}" --lambda-adv 1e-3 --lambda-est 1 --out "$runs/known"
weights=("$runs/alone/real-fast-alone.safetensors" "$runs/all/real-fast.safetensors" "$runs/known/real-fast.safetensors")
if [ -n "$pairs" ]; then
  undegrade train real "${common[@]}" --alone --sidd "$pairs" --sidd-share 1 --out "$runs/sidd"
  weights+=("$runs/sidd/real-fast-alone.safetensors")
fi
for one in "${weights[@]}"; do
  echo "== $one"
  grep -o '"psnr/[^:]*: [0-9.]*' "$(dirname "$one")/metrics.jsonl" | tail -5
  measure "$one"
done
