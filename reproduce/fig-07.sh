#!/usr/bin/env bash
# Fig. 7: AvgPool(c) of 100 patches at sigma 10, 15, ..., 55: 1,000 points; t-SNE, and what the points tell as numbers.
# Hardware: one CPU core, 20 seconds. Expected: R^2 above 0.99 for the noise level.
# Writes fig-07.png, fig-07.csv (the points) and fig-07-numbers.csv.
# Usage: reproduce/fig-07.sh IMAGES [options of undegrade analyse map, e.g. --patches 200 --out DIR --weights FILE]
set -euo pipefail
undegrade analyse map --data "${1:?a folder of clean images}" "${@:2}"
