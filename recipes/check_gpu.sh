#!/usr/bin/env bash
# Tries a GPU machine in 5 to 10 minutes, and downloads nothing: videossr doctor, then videossr trial, that is, a few real
# steps of verl's trainer with vLLM, a checkpoint, a resume, and the death of a rollout server.
#   bash recipes/check_gpu.sh [--out FOLDER] [--model NAME|FOLDER] [--layers N] [HYDRA_OVERRIDE...]
#   --out      logs and figures (default runs/check_gpu); a checkpoint of about 30 GiB lies there for a while
#   --model    a released model, for random weights of its widths in 4 layers (default Qwen3-VL-8B-Instruct, the paper's),
#              or a folder with weights
# All GPUs of the machine take part. VERL_PLATFORM=cpu rehearses it with a tiny model.
set -euo pipefail
case "${1:-}" in
-h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
# shellcheck source=recipes/run.sh
source "$(dirname "${BASH_SOURCE[0]}")/run.sh"

run videossr doctor || echo "check_gpu: trying it all the same" >&2
run videossr trial --out runs/check_gpu "$@"
