#!/usr/bin/env bash
# The paper's run (VideoSSR, arXiv 2511.06281, section 4): Qwen3-VL-8B-Instruct on 30,000 samples, one epoch, 8 GPUs.
#   bash recipes/videossr_8b.sh VIDEO_FOLDER [HYDRA_OVERRIDE...]
#   RUN=runs/videossr_8b, MODEL, CONFIG, DRY_RUN, --plan, --gpu, --host-memory    as in recipes/grpo.sh
# 12,000 groundings, 12,000 jigsaws, 6,000 countings from as many videos; the paper's come from LLaVA-Video-178K.
# What is known to differ stands in recipes/README.md. A GPU has run whole steps of a tiny model only.
set -euo pipefail

case "${1:-}" in
"" | -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit $(($# == 0 ? 2 : 0))
    ;;
esac
export RECIPE=videossr_8b RUN=${RUN:-runs/videossr_8b} TEST_COUNT=600
export MIX=anomaly_grounding=12000,temporal_jigsaw=12000,object_counting=6000
exec bash "$(dirname "${BASH_SOURCE[0]}")/grpo.sh" "$1" model=qwen3_vl_8b data=videossr cluster=1x8 option=as_published "${@:2}"
