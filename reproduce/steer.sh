#!/usr/bin/env bash
# The latent steered: the direction is found on one set of images and tried on another.
# Hardware: one CPU core, a minute. Expected: rank correlations of 1, -1 and -1.
# Writes steer.png and steer.csv.
# Usage: reproduce/steer.sh CBSD68 IMAGES [options of undegrade analyse steer, e.g. --out DIR --weights FILE]
set -euo pipefail
undegrade analyse steer --data "${1:?the folder of CBSD68}" --probe "${2:?other clean images}" --images 12 --show 126007 "${@:3}"
