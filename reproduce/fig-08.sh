#!/usr/bin/env bash
# Fig. 8: AvgPool(c) of patches of photographs, of images with synthetic camera noise and with Gaussian noise; t-SNE, and
# how far the sources are apart. Meant for the task real: add --task real, or --weights FILE.
# Hardware: one CPU core, 20 seconds. Expected: photographs told from their means with noise in 0.58 by real-fast, 0.97 by
# gaussian-fast.
# Writes fig-08.png, fig-08.csv (the points) and fig-08-numbers.csv.
# Usage: reproduce/fig-08.sh IMAGES CC15 [options of undegrade analyse sources]
set -euo pipefail
undegrade analyse sources --data "${1:?a folder of clean images}" --photographs "${2:?the folder of CC15}/real" --means "$2/mean" "${@:3}"
