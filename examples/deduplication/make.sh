#!/usr/bin/env bash
# Which frames of real clips the built-in embedding keeps, and how often it agrees with the eye (judged.txt, 80 pairs).
#   bash examples/deduplication/make.sh [OUT.png]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python "$here/compare.py" strips "${1:-$here/strips.png}"
python "$here/compare.py" agreement
