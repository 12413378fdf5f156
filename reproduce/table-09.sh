#!/usr/bin/env bash
# Table IX and the frameworks of Fig. 1, all of them trained for the same number of steps, measured on CBSD68 at sigma 30.
#   alone           restoration term only, no encoder: the naive blind baseline, eq. (5)                  paper: 30.47
#   reconstruction  + beta KL + reconstruction, without the adversarial and the estimation term           paper: 30.56
#   estimation      + beta KL + reconstruction + estimation, without the adversarial term                 not in the paper
#   all             every term of eq. (19)                                                                paper: 30.64
#   specific        restoration term only, trained on sigma 30 alone: the specific non-blind model, eq. (4)
#   two-stage       an estimator of sigma learned by supervision, its estimate told to the restorer, eqs. (6)-(7)
# Then the health of the latents: where the posterior has collapsed, eq. (20), the order of the rows says nothing.
# Hardware: with a GPU the full model for 20,000 steps of each, otherwise the fast one for 6,000. STEPS=1500 took 82 minutes of
# one CPU core with bfloat16 (seconds per step: 0.4 alone, specific and two-stage, 0.5 without and 1.0 with the adversarial
# term) and 6 for measuring, before denormal numbers were taken for zero, which brought `alone` to 0.12 on another machine; two
# cores can work on different RUNS. A GPU was not tried. Expected of STEPS=1500: 29.78, 29.74, 29.47, 29.55, 30.00 and 29.76 dB in
# the order above; of SETTLE=1000: 29.89 alone, 29.80 all.
# Stop and start it again at will: training goes on where it was. RUNS chooses some; the table shows what is measured.
# Usage: [STEPS=6000] [VARIANT=fast] [RECIPE=cpu] [RUNS="alone all"] [LIMIT=N] reproduce/table-09.sh IMAGES HELD_OUT BENCHMARKS
set -euo pipefail
images=${1:?training images} held_out=${2:?held-out images} benchmarks=${3:?benchmark images}
if [ "$(python -c 'import torch; print(torch.cuda.is_available())')" = True ]; then
  variant=${VARIANT:-full} recipe=${RECIPE:-short} steps=${STEPS:-20000}
else
  variant=${VARIANT:-fast} recipe=${RECIPE:-cpu} steps=${STEPS:-6000}
fi
out=runs/table-09/$variant-$steps

options() {
  case $1 in
    alone) echo --alone ;;
    reconstruction) echo --lambda-adv 0 --lambda-est 0 ;;
    estimation) echo --lambda-adv 0 ;;
    all) echo --lambda-adv 1e-3 ;;
    specific) echo --alone --sigma 30 30 ;;
    two-stage) echo --two-stage ;;
    *) echo "there is no run $1" >&2; return 1 ;;
  esac
}

for run in ${RUNS:-alone reconstruction estimation all specific two-stage}; do
  # All parts learn to the end (--rest-from), as in the paper.
  given=$(options "$run")
  undegrade train gaussian --variant "$variant" --recipe "$recipe" --steps "$steps" --rest-from "$steps" --compact \
    --data "$images" --val "$held_out" --out "$out/$run" $given
  [ -e "$out/$run/result.json" ] || undegrade evaluate gaussian --weights "$out/$run"/*.safetensors --data "$benchmarks" \
    --datasets CBSD68 --cases "sigma 30" --json "$out/$run/result.json" ${LIMIT:+--limit "$LIMIT"}
done

# SETTLE: with the latent's parts at rest the restorers learn on, each for as many steps more. What is left between the rows
# then is what their latents are worth, without what it costs to follow latents that still move.
settled=()
if [ -n "${SETTLE:-}" ]; then
  for run in ${SETTLED:-alone reconstruction estimation all}; do
    more=$out/$run-settled-$SETTLE
    undegrade train gaussian --variant "$variant" --recipe "$recipe" --steps "$SETTLE" --lead 0 --rest-from 0 --lr 6e-4 --compact \
      --init "$out/$run"/*.safetensors --data "$images" --val "$held_out" --out "$more" $(options "$run") --lambda-adv 0
    [ -e "$more/result.json" ] || undegrade evaluate gaussian --weights "$more"/*.safetensors --data "$benchmarks" \
      --datasets CBSD68 --cases "sigma 30" --json "$more/result.json" ${LIMIT:+--limit "$LIMIT"}
    settled+=("$run, settled=$more/result.json")
  done
fi

rows=()
for row in alone="restoration" reconstruction="restoration, KL, reconstruction" estimation="all but adversarial" \
  all="restoration, KL, reconstruction, adversarial" specific="specific to sigma 30" two-stage="two-stage"; do
  file=$out/${row%%=*}/result.json
  if [ -e "$file" ]; then rows+=("${row#*=}=$file"); fi
done
python "$(dirname "$0")/compare.py" IX "${rows[@]}" "${settled[@]}"
for run in reconstruction estimation all; do
  if [ -e "$out/$run/result.json" ]; then
    echo "== $run"
    undegrade analyse health --weights "$out/$run"/*.safetensors --data "$held_out" --images 12
  fi
done
