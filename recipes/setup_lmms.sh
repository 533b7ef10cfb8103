#!/usr/bin/env bash
# Creates .venv-lmms, where lmms-eval answers through vLLM. It is apart from the training environment, because verl and
# lmms-eval need different versions of the same packages.
#   bash recipes/setup_lmms.sh [EXTRA...]    EXTRA: further extras of pyproject.toml, e.g. dev
#   DEVICE=cpu | gpu                         default: gpu where nvidia-smi is
#   PYTHON, TORCH_INDEX                      see recipes/environment.sh
set -euo pipefail
device=${DEVICE:-$(command -v nvidia-smi > /dev/null && echo gpu || echo cpu)}
case "$device" in
cpu) extras=lmms-cpu ;;
gpu) extras=lmms ;;
*)
    echo "setup: unknown DEVICE '$device': give cpu or gpu" >&2
    exit 2
    ;;
esac
for extra in "$@"; do extras+=",$extra"; done
exec bash "$(dirname "${BASH_SOURCE[0]}")/environment.sh" .venv-lmms "constraints/lmms_$device.txt" "$extras"
