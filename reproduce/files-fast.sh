#!/usr/bin/env bash
# Files made small by bicubic resizing and by area averaging, x2 and x4, beside bicubic enlargement; and by how much what is
# enlarged is displaced against it.
# Hardware: 2 CPU cores, half an hour by estimate. Expected: a displacement under 0.1 pixels; the rest is not known yet.
# Usage: reproduce/files-fast.sh X2_WEIGHTS X4_WEIGHTS BENCHMARKS
set -euo pipefail
vdir evaluate sr-x2 --weights "${1:?weights of sr-x2}" --data "${3:?benchmark images}" --cases "x2 bicubic" "x2 area"
vdir evaluate sr-x4 --weights "${2:?weights of sr-x4}" --data "$3" --cases "x4 bicubic" "x4 area"
python "$(dirname "$0")/displacement.py" "$3/BSD100" --weights "$1" "$2"
