#!/usr/bin/env bash
# Masked video prediction on GPUs: builds the data set where it is not there yet, and trains.
#   bash recipes/mvp.sh VIDEO_FOLDER [HYDRA_OVERRIDE...]
#   DATA=mvp                              preset: mvp, mvp_easy, mvp_hard, mvp_harder, or videossr_mvp (all four tasks)
#   MODEL=Qwen/Qwen2.5-VL-7B-Instruct     folder or hub name
#   GPUS=8 NODES=1                        a node's GPUs, and nodes of a Ray cluster that has been started
#   RUN=runs/$DATA                        where data set and checkpoints go
#   EMBEDDING, CONFIG, DRY_RUN, --plan, --gpu, --host-memory    as in recipes/grpo.sh, which does it
# It has run with a tiny model on CPU (tests/e2e/test_mvp_recipe.py), and not on a GPU yet.
set -euo pipefail

case "${1:-}" in
"" | -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit $(($# == 0 ? 2 : 0))
    ;;
esac
export RECIPE=mvp RUN=${RUN:-runs/${DATA:-mvp}}
exec bash "$(dirname "${BASH_SOURCE[0]}")/grpo.sh" "$1" model=qwen2_5_vl_7b "data=${DATA:-mvp}" cluster=1x8 \
    "trainer.nnodes=${NODES:-1}" "trainer.n_gpus_per_node=${GPUS:-8}" "${@:2}"
