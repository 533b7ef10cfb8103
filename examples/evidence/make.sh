#!/usr/bin/env bash
# What each task is worth: chance, the best rule without learning, and what a learner earns that sees whole videos, other
# videos, one frame of each, or their frames without the order. The table in docs/tasks/README.md; 75 minutes on one core.
#   bash examples/evidence/make.sh [TINY_PRESET...]     (default: those of all tasks)
#   RUN=runs/evidence   where everything goes; what is there already is not made again
#   COUNT=60            questions of each subset that the rules answer
#   STEPS=300           of each learner, a tiny model
#   LEARN=400 TEST=80   generated videos that it learns from, and is tested on
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
run=${RUN:-runs/evidence} count=${COUNT:-60} steps=${STEPS:-300} learn=${LEARN:-400} test=${TEST:-80}
presets=("$@")
[ $# -gt 0 ] || presets=({videossr,arrow_of_time,snippet_localisation,motion_primitives,spatial_jigsaw}_tiny)

rules() { # NAME PRESET VIDEOS
    [ -f "$run/$1/rules/controls.json" ] && return
    local enough=$((11 * count)) # no preset has more subsets
    videossr build "$3" --out "$run/$1/data" --preset "$2" --embedding built_in --count "$enough" --test-share 0
    videossr controls "$run/$1/data" --split train --limit "$count" --out "$run/$1/rules"
}
learners() { # PRESET
    [ -f "$run/$1/learners.json" ] && return
    local scenes=() videos=$run/scenes
    [ "$1" != arrow_of_time_tiny ] || scenes=(--with-arrow) videos=$run/scenes_with_arrow
    python "$here/../../recipes/tiny/controls.py" --preset "$1" --steps "$steps" --scenes "$learn" --held-out "$test" \
        "${scenes[@]}" --videos "$videos" --out "$run/$1/learners.json"
}
mkdir -p "$run"
python -m videossr_verl.tiny.corpus "$run/minutes" --generated 24 --with-arrow 24 --seconds 60
rules full "$here/presets.yaml" "$run/minutes"
python -m videossr_verl.tiny.corpus "$run/videos" --generated 60 --with-arrow 60
for preset in "${presets[@]}"; do
    rules "$preset" "$preset" "$run/videos"
    learners "$preset"
done
python "$here/table.py" "$run" "${presets[@]}"
