#!/usr/bin/env bash
# Fig. 5's experiment as numbers: PSNR at sigma 30 with no latent, with another picture's, and with those of sigma 10 and 50.
# Hardware: one CPU core, five minutes for CBSD68. Expected of gaussian-fast: 30.21 dB with its own latent; 1.24 dB lost without,
# 0.14 with another picture's, 1.62 with that of sigma 10 and 1.18 with that of sigma 50.
# Writes swap.csv (every picture).
# Usage: reproduce/latent-swap.sh CBSD68 [options of undegrade analyse swap, e.g. --images 12 --out DIR --weights FILE]
set -euo pipefail
undegrade analyse swap --data "${1:?the folder of CBSD68}" "${@:2}"
