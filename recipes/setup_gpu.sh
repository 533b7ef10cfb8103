#!/usr/bin/env bash
# Creates .venv with the pinned stack for GPUs and installs this package into it. This takes minutes: nothing is compiled.
#   bash recipes/setup_gpu.sh [EXTRA...]     EXTRA: further extras of pyproject.toml, e.g. dev
#   bash recipes/setup_gpu.sh flash-attn     also builds flash-attn for this machine's GPUs, by nvcc of CUDA 13; only
#                                            option=[flash_attn] asks for it
#   PYTHON                                   see recipes/environment.sh
#   MAX_JOBS=8                               compilers at a time, each of some 8 GB of memory
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extras=gpu build=
for extra in "$@"; do
    if [ "$extra" = flash-attn ]; then build=yes; else extras+=",$extra"; fi
done
bash recipes/environment.sh .venv constraints/gpu.txt "$extras"
[ "$build" ] || exit 0

# Two digits for each kind of GPU that is here, with semicolons; without a GPU flash-attn takes all that it knows.
if architectures=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null); then
    FLASH_ATTN_CUDA_ARCHS=$(tr -d . <<< "$architectures" | sort -u | paste -sd ';')
    export FLASH_ATTN_CUDA_ARCHS
fi
echo "setup: flash-attn for ${FLASH_ATTN_CUDA_ARCHS:-all GPUs that it knows} (seconds if it is there, else its build)"
MAX_JOBS=${MAX_JOBS:-8} .venv/bin/python -m pip --disable-pip-version-check install --quiet \
    --constraint constraints/gpu.txt --no-build-isolation flash-attn || {
    echo "setup: flash-attn did not build; all else is in .venv: install CUDA 13's nvcc (CUDA_HOME names its folder) and do this again" >&2
    exit 2
}
