#!/usr/bin/env bash
# Creates .venv with the pinned stack for GPUs and installs this package into it. Then builds flash-attn against the torch
# in there, by nvcc of CUDA 13, because there is no wheel: this takes minutes to hours.
#   bash recipes/setup_gpu.sh [EXTRA...]     EXTRA: further extras of pyproject.toml, e.g. dev
#   PYTHON                                   see recipes/environment.sh
#   MAX_JOBS=8                               compilers at a time, each of some 8 GB of memory
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extras=gpu
for extra in "$@"; do extras+=",$extra"; done
bash recipes/environment.sh .venv constraints/gpu.txt "$extras"
export MAX_JOBS=${MAX_JOBS:-8}
echo "setup: flash-attn (seconds with a wheel or when it is there, else its build)"
.venv/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints/gpu.txt \
    --no-build-isolation flash-attn || {
    echo "setup: flash-attn did not build; all else is in .venv: install CUDA 13's nvcc (CUDA_HOME names its folder) and do this again" >&2
    exit 2
}
