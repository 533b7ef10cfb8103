#!/usr/bin/env bash
# Creates a virtual environment with a pinned stack and installs this package into it as a wheel. Quick when nothing
# changed. Called by setup_cpu.sh, setup_gpu.sh and setup_lmms.sh.
#   bash recipes/environment.sh FOLDER CONSTRAINTS EXTRAS     EXTRAS: of pyproject.toml, with commas
#   PYTHON=python3.11                        the interpreter that makes it
#   TORCH_INDEX=URL                          where torch 2.13.0+cpu comes from, if pip does not find it by itself
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$1 constraints=$2 extras=$3
python=${PYTHON:-python3.11}

fail() {
    echo "setup: $1" >&2
    exit 2
}

if [ ! -d "$folder" ]; then
    command -v "$python" > /dev/null || fail "no $python on this machine: install Python 3.11, or set PYTHON to it"
    "$python" -m venv "$folder" || fail "cannot create $folder: install the venv module of $python"
fi

# The stack, and the package, are installed anew only when what they are made from has changed.
want=$(cat "$constraints" pyproject.toml | sha256sum | cut -d' ' -f1)
stamp=$folder/stack-${extras//,/-}
pip=("$folder/bin/python" -m pip --disable-pip-version-check --quiet)
if [ "$(cat "$stamp" 2> /dev/null)" != "$want" ]; then
    echo "setup: installing [$extras] into $folder (about 3 minutes)"
    index=()
    [ -z "${TORCH_INDEX:-}" ] || index=(--extra-index-url "$TORCH_INDEX")
    if ! "${pip[@]}" install --constraint "$constraints" "${index[@]}" ".[$extras]" 2> "$folder/install.log"; then
        grep -v WARNING "$folder/install.log" | tail -5 >&2
        fail "the install failed, the whole log is $folder/install.log; if pip found no torch==2.13.0+cpu, name PyTorch's
       own index in TORCH_INDEX, https://download.pytorch.org/whl/cpu"
    fi
    echo "$want" > "$stamp"
fi

want=$(find pyproject.toml videossr_verl data_preprocess reward_fns hydra_plugins -type f ! -path '*/__pycache__/*' \
    -exec sha256sum {} + | LC_ALL=C sort -k 2 | sha256sum | cut -d' ' -f1)
if [ "$(cat "$folder/package" 2> /dev/null)" != "$want" ]; then
    "${pip[@]}" install --no-deps --force-reinstall . 2> "$folder/install.log" \
        || fail "this package does not install: see $folder/install.log"
    echo "$want" > "$folder/package"
fi
