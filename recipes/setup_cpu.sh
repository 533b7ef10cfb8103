#!/usr/bin/env bash
# Creates .venv with the pinned CPU stack and installs this package into it as a wheel. Quick when nothing changed.
#   bash recipes/setup_cpu.sh [EXTRA...]     EXTRA: further extras of pyproject.toml, e.g. dev
#   PYTHON=python3.11                        the interpreter that makes .venv
#   TORCH_INDEX=URL                          where torch 2.13.0+cpu comes from, if pip does not find it by itself
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3.11}
extras=cpu
for extra in "$@"; do extras+=",$extra"; done

fail() {
    echo "setup: $1" >&2
    exit 2
}

command -v "$python" > /dev/null || fail "no $python on this machine: install Python 3.11, or set PYTHON to it"
[ -d .venv ] || "$python" -m venv .venv || fail "cannot create .venv: install the venv module of $python"

# The stack, and the package, are installed anew only when what they are made from has changed.
want=$(cat constraints/cpu.txt pyproject.toml | sha256sum | cut -d' ' -f1)
stamp=.venv/stack-${extras//,/-}
pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet)
if [ "$(cat "$stamp" 2> /dev/null)" != "$want" ]; then
    echo "setup: installing verl, vLLM and torch for CPU into .venv (about 3 minutes)"
    index=()
    [ -z "${TORCH_INDEX:-}" ] || index=(--extra-index-url "$TORCH_INDEX")
    if ! "${pip[@]}" install --constraint constraints/cpu.txt "${index[@]}" ".[$extras]" 2> .venv/install.log; then
        grep -v WARNING .venv/install.log | tail -5 >&2
        fail "the install failed, the whole log is .venv/install.log; if pip found no torch==2.13.0+cpu, name PyTorch's
       own index: TORCH_INDEX=https://download.pytorch.org/whl/cpu bash recipes/setup_cpu.sh"
    fi
    echo "$want" > "$stamp"
fi

want=$(find pyproject.toml videossr_verl data_preprocess reward_fns hydra_plugins -type f ! -path '*/__pycache__/*' \
    -exec sha256sum {} + | LC_ALL=C sort -k 2 | sha256sum | cut -d' ' -f1)
if [ "$(cat .venv/package 2> /dev/null)" != "$want" ]; then
    "${pip[@]}" install --no-deps --force-reinstall . 2> .venv/install.log \
        || fail "this package does not install: see .venv/install.log"
    echo "$want" > .venv/package
fi
