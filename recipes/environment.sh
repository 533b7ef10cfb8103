#!/usr/bin/env bash
# Creates a virtual environment with a pinned stack and installs this package into it as a wheel. Quick when nothing
# changed; one that was cut off goes on. Called by setup_cpu.sh, setup_gpu.sh and setup_lmms.sh.
#   bash recipes/environment.sh FOLDER CONSTRAINTS EXTRAS     EXTRAS: of pyproject.toml, with commas
#   PYTHON=python3.11                        the interpreter that makes it
#   TORCH_INDEX=URL                          where torch 2.13.0+cpu comes from, if pip does not find it by itself
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$1 constraints=$2 extras=$3 release='Python 3.11' # of all constraints
python=${PYTHON:-python3.11}

fail() {
    echo "setup: $1" >&2
    exit 2
}

version() { # of an interpreter
    "$1" -c 'import sys; print("Python %d.%d" % sys.version_info[:2])' 2> /dev/null || echo "a Python that does not run"
}
if { [ -e "$folder/bin/python" ] || [ -L "$folder/bin/python" ]; } && [ "$(version "$folder/bin/python")" != "$release" ]; then
    fail "$folder has $(version "$folder/bin/python"), and $constraints is for $release: delete that folder and do this again"
fi
# Where an earlier attempt was cut off, this adds what is missing.
if ! "$folder/bin/python" -m pip --version > /dev/null 2>&1; then
    command -v "$python" > /dev/null || fail "no $python on this machine: install $release, or set PYTHON to it"
    [ "$(version "$python")" = "$release" ] \
        || fail "$python is $(version "$python"), and $constraints is for $release: install that, or set PYTHON to it"
    "$python" -m venv "$folder" || fail "cannot create $folder: install the venv module of $python (Debian: python3.11-venv)"
fi

forget_half_installed() { # pip writes INSTALLER last, and takes a package without it for a whole one
    find "$folder"/lib/python*/site-packages -maxdepth 1 -name '*.dist-info' \
        ! -exec test -f '{}/INSTALLER' \; -exec rm -r '{}' +
}

# The stack, and the package, are installed anew only when what they are made from has changed.
want=$(cat "$constraints" pyproject.toml | sha256sum | cut -d' ' -f1)
stamp=$folder/stack-${extras//,/-}
pip=("$folder/bin/python" -m pip --disable-pip-version-check)
if [ "$(cat "$stamp" 2> /dev/null)" != "$want" ]; then
    echo "setup: installing [$extras] into $folder (about 3 minutes)"
    forget_half_installed
    index=()
    [ -z "${TORCH_INDEX:-}" ] || index=(--extra-index-url "$TORCH_INDEX")
    if ! "${pip[@]}" install --constraint "$constraints" "${index[@]}" ".[$extras]" > "$folder/install.log" 2>&1; then
        reason=$(grep -E "^(ERROR|    )" "$folder/install.log" | tail -5) || reason=$(tail -5 "$folder/install.log")
        echo "$reason" >&2
        advice=
        [[ $reason != *torch*+cpu* ]] || advice="; name PyTorch's own index in TORCH_INDEX, https://download.pytorch.org/whl/cpu"
        fail "the install failed, the whole log is $folder/install.log$advice"
    fi
    echo "$want" > "$stamp"
fi

want=$(find pyproject.toml videossr_verl data_preprocess reward_fns hydra_plugins -type f ! -path '*/__pycache__/*' \
    -exec sha256sum {} + | LC_ALL=C sort -k 2 | sha256sum | cut -d' ' -f1)
if [ "$(cat "$folder/package" 2> /dev/null)" != "$want" ]; then
    forget_half_installed
    "${pip[@]}" install --no-deps --force-reinstall . > "$folder/install.log" 2>&1 \
        || fail "this package does not install: see $folder/install.log"
    echo "$want" > "$folder/package"
fi
