#!/usr/bin/env bash
# Which copies of videos are found as look-alikes, which different videos are taken for one, and how long that takes.
#   bash examples/look_alikes/make.sh
set -euo pipefail
python "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/compare.py"
