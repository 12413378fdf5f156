#!/usr/bin/env bash
# Table XI: FFDNet's plain chain inside the framework, and the same chain alone (naive blind), for the same number of steps,
# on Urban100 at sigma 30 and 50, beside the published FFDNet, which is told sigma.
# Hardware: one CPU core with bfloat16. STEPS=1500 LIMIT=25 (the first 25 images only) took 25 minutes for training (0.45 and 0.4
# seconds per step) and 8 for measuring. With a GPU 20,000 steps by the recipe short; not tried. Expected of STEPS=1500 LIMIT=25:
# 26.72 and 25.24 dB in the framework, 26.94 and 25.41 alone.
# Stop and start it again at will: training goes on where it was.
# Usage: [STEPS=6000] [RECIPE=cpu] [LIMIT=N] reproduce/table-11.sh IMAGES HELD_OUT BENCHMARKS
set -euo pipefail
images=${1:?training images} held_out=${2:?held-out images} benchmarks=${3:?benchmark images}
if [ "$(python -c 'import torch; print(torch.cuda.is_available())')" = True ]; then
  recipe=${RECIPE:-short} steps=${STEPS:-20000}
else
  recipe=${RECIPE:-cpu} steps=${STEPS:-6000}
fi
out=runs/table-11/$steps
for run in inside alone; do
  # All parts learn to the end (--rest-from), so that both restorers see as many steps.
  undegrade train gaussian --variant ffdnet --recipe "$recipe" --steps "$steps" --rest-from "$steps" --compact \
    --data "$images" --val "$held_out" --out "$out/$run" $([ "$run" = alone ] && echo --alone)
  [ -e "$out/$run/result.json" ] || undegrade evaluate gaussian --weights "$out/$run"/*.safetensors --data "$benchmarks" \
    --datasets Urban100 --cases "sigma 30" "sigma 50" --json "$out/$run/result.json" ${LIMIT:+--limit "$LIMIT"}
done
python "$(dirname "$0")/compare.py" XI "VDIR (FFDNet)=$out/inside/result.json" "FFDNet alone, blind=$out/alone/result.json"
undegrade analyse health --weights "$out/inside"/*.safetensors --data "$held_out" --images 12
