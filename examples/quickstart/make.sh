#!/usr/bin/env bash
# What the README says of the quickstart: its table and curves, from the quickstart with three seeds, about 46 minutes.
#   bash examples/quickstart/make.sh [HYDRA_OVERRIDE...]
#   RUN=runs/quickstart   where everything goes; runs that are there already are not made again (also: STEPS, FAMILY)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
run=${RUN:-runs/quickstart} family=${FAMILY:-qwen2_5_vl}

for seed in 1 2 3; do
    RUN=$run SEED=$seed FAMILY=$family bash recipes/quickstart_cpu.sh "$@"
done
.venv/bin/videossr report "$run/$family-seed"{1,2,3} --picture "$run/curves.png"
