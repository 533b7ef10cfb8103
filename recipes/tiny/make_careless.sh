#!/usr/bin/env bash
# Makes the quickstart's start, recipes/tiny/careless_qwen2_5_vl, anew: about 15 minutes on 2 cores.
#   bash recipes/tiny/make_careless.sh OUT
# It goes on from recipes/tiny/qwen2_5_vl: 800 supervised steps of 48 samples, after which the model does what a model of
# this size can do, then 120 with the labels of an annotator who makes a task's mistake in 65 of 100 samples
# (videossr_verl/tiny/careless_labels.py). The model sees well then, and answers badly.
set -euo pipefail
[ $# = 1 ] || {
    echo "usage: bash recipes/tiny/make_careless.sh OUT" >&2
    exit 2
}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bash "$here/../setup_cpu.sh" dev
export VERL_PLATFORM=cpu HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
warm_start() { "$here/../../.venv/bin/python" "$here/warm_start.py" --videos "$work/videos" "$@"; }
warm_start --steps 800 --lr 1.5e-3 --init "$here/qwen2_5_vl" --out "$work/able"
warm_start --steps 120 --lr 1e-3 --careless 0.65 --init "$work/able" --out "$out"
