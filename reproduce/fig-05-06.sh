#!/usr/bin/env bash
# Figs. 5 and 6: pictures at sigma 30 restored with the latent of themselves, of their mirror image, of sigma 10 and of 50.
# Hardware: one CPU core, 10 minutes for all 68 (by the time of 17), 2.5 with --images 16. Expected of gaussian-fast: 30.21, 30.14,
# 28.58 and 29.03 dB.
# Writes fig-05.png (crops, PSNRs), fig-06.png (latents), fig-05.csv and fig-05.md (every picture; the means).
# Usage: reproduce/fig-05-06.sh CBSD68 [options of undegrade analyse manipulate, e.g. --images 12 --out DIR --weights FILE]
set -euo pipefail
undegrade analyse manipulate --data "${1:?the folder of CBSD68}" --show 126007 --crop 130 190 "${@:2}"
