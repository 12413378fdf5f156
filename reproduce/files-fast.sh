#!/usr/bin/env bash
# Files made small by bicubic resizing and by area averaging, x2 and x4, beside bicubic enlargement; and by how much what is
# enlarged is displaced against it.
# Hardware: one CPU core, 15 minutes. Expected: 0.7 to 2.2 dB above bicubic enlargement, a displacement under 0.1 pixels
# (docs/models.md has the table).
# Usage: reproduce/files-fast.sh X2_WEIGHTS X4_WEIGHTS BENCHMARKS
set -euo pipefail
undegrade evaluate sr-x2 --weights "${1:?weights of sr-x2}" --data "${3:?benchmark images}" --cases "x2 bicubic" "x2 area"
undegrade evaluate sr-x4 --weights "${2:?weights of sr-x4}" --data "$3" --cases "x4 bicubic" "x4 area"
python "$(dirname "$0")/displacement.py" "$3/BSD100" --weights "$1" "$2"
