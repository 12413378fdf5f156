#!/usr/bin/env bash
# Tables IV-VII, the columns that need no model: JPEG and Bicubic.
# Hardware: 2 CPU cores, 2 minutes. Expected: 41 of 43 cells agree within 0.02 dB and 0.002 SSIM; the other two are the
# paper's own discrepancy (Table IV, g_ani, BSD100 and Urban100).
# Usage: reproduce/tables-04-07-input.sh BENCHMARKS
set -euo pipefail
undegrade calibrate --data "${1:?the folder of the benchmark images}"
