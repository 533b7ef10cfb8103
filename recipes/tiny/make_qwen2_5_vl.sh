#!/usr/bin/env bash
# Makes the checkpoint recipes/tiny/qwen2_5_vl anew: supervised steps of 48 samples, about 15 minutes on 2 cores.
#   bash recipes/tiny/make_qwen2_5_vl.sh OUT
# It goes on from the checkpoint of commit 0662b89, which could count a little and did the first three tasks. That one had
# counted alone for 2,500 steps before: telling three kinds of shapes apart takes this model ten times longer than other
# tasks, and by luck, for another 2,500 steps with other bytes of the same videos did not leave the plateau. Masked video
# prediction comes last, after the order of clips: STEPS is where it just begins to show.
set -euo pipefail
[ $# = 1 ] || {
    echo "usage: bash recipes/tiny/make_qwen2_5_vl.sh OUT" >&2
    exit 2
}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

git -C "$here" archive 0662b89 . | tar x -C "$work" || {
    echo "make_qwen2_5_vl: commit 0662b89 is not in this clone: git fetch --unshallow" >&2
    exit 2
}
bash "$here/../setup_cpu.sh" dev
export VERL_PLATFORM=cpu HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
"$here/../../.venv/bin/python" "$here/warm_start.py" --init "$work/qwen2_5_vl" --steps STEPS --lr 1e-3 --out "$out"
