#!/usr/bin/env bash
# Makes the checkpoint recipes/tiny/qwen2_5_vl anew: supervised steps of 48 samples, about 15 minutes on 2 cores.
#   bash recipes/tiny/make_qwen2_5_vl.sh OUT
# It goes on from the checkpoint of commit 0662b89, which did the first three tasks and could count a little: it had counted
# alone for 2,500 steps before, since telling three kinds of shapes apart takes this model ten times longer than other tasks.
# (Not always that: the same steps on the same videos in other bytes did not leave the plateau.) Masked video prediction comes
# last, after the order of clips, and sooner where it saw pools of four before pools of three. At the end the order of clips
# is known, and a gap is filled right in about half of the greedy answers.
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
sed 's/num_distractors: 1/num_distractors: 2/' "$here/../../videossr_verl/tasks/presets/videossr_tiny.yaml" > "$work/pool_of_four.yaml"
warm_start() { "$here/../../.venv/bin/python" "$here/warm_start.py" --videos "$work/videos" "$@"; }
warm_start --preset "$work/pool_of_four.yaml" --steps 400 --lr 1.5e-3 --init "$work/qwen2_5_vl" --out "$work/pool_of_four"
warm_start --steps 400 --lr 1e-3 --init "$work/pool_of_four" --out "$out"
