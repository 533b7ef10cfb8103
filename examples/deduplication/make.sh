#!/usr/bin/env bash
# Which frames of real clips the built-in embedding keeps, how often it agrees with the eye (judged.txt, 80 pairs), and
# where its pairs begin to look alike (pairs.png beside OUT.png).
#   bash examples/deduplication/make.sh [OUT.png]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/strips.png}
videos=$(mktemp -d)
trap 'rm -rf "$videos"' EXIT

python "$here/compare.py" strips "$out"
python "$here/compare.py" agreement
python -m videossr_verl.tiny.corpus "$videos" --generated 0
rm "$videos"/*distorted*
videossr calibrate "$videos" --embedding built_in --preset "$here/short_clips.yaml" --out "$videos/pairs.png"
python - "$videos/pairs.png" "$(dirname "$out")/pairs.png" <<'PY'
import sys
from PIL import Image

Image.open(sys.argv[1]).quantize(256).save(sys.argv[2], optimize=True)  # a third of the bytes
PY
