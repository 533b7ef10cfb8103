#!/usr/bin/env bash
# Creates a virtual environment with a pinned stack and installs this package into it as a wheel. Quick when nothing
# changed; one that was cut off goes on. Called by setup_cpu.sh, setup_gpu.sh and setup_lmms.sh.
#   bash recipes/environment.sh FOLDER CONSTRAINTS EXTRAS     EXTRAS: of pyproject.toml, with commas
#   PYTHON=python3.12                        the interpreter that makes it (default: python3.11, else python3.12)
#   TORCH_INDEX=URL                          where torch's CPU build is, if pip does not find it by itself
#                                            (default: PyTorch's own index)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$1 constraints=$2 extras=$3

fail() {
    echo "setup: $1" >&2
    exit 2
}

version() { # of an interpreter
    "$1" -c 'import sys; print("Python %d.%d" % sys.version_info[:2])' 2> /dev/null || echo "a Python that does not run"
}
supported() { # all constraints are for these
    [[ "$(version "$1")" =~ ^Python\ 3\.1[12]$ ]]
}
if { [ -e "$folder/bin/python" ] || [ -L "$folder/bin/python" ]; } && ! supported "$folder/bin/python"; then
    fail "$folder has $(version "$folder/bin/python"), and $constraints is for Python 3.11 and 3.12: delete that folder and do this again"
fi
# Where an earlier attempt was cut off, this adds what is missing.
if ! "$folder/bin/python" -m pip --version > /dev/null 2>&1; then
    python=${PYTHON:-python3.11}
    [ -n "${PYTHON:-}" ] || supported "$python" || ! supported python3.12 || python=python3.12
    command -v "$python" > /dev/null || fail "no $python on this machine: install Python 3.11 or 3.12, or set PYTHON to one"
    supported "$python" \
        || fail "$python is $(version "$python"), and $constraints is for Python 3.11 and 3.12: install one of them, or set PYTHON to it"
    "$python" -m venv "$folder" || fail "cannot create $folder: install the venv module of $python (Debian: $python-venv)"
fi

forget_half_installed() { # pip writes INSTALLER last, and takes a package without it for a whole one
    find "$folder"/lib/python*/site-packages -maxdepth 1 -name '*.dist-info' \
        ! -exec test -f '{}/INSTALLER' \; -exec rm -r '{}' +
}

pip=("$folder/bin/python" -m pip --disable-pip-version-check)
fail_install() { # what
    (grep -E "^(ERROR|    )" "$folder/install.log" || cat "$folder/install.log") | tail -5 >&2
    fail "$1, the whole log is $folder/install.log"
}
install_torch() { # its CPU build, where that is wanted: PyPI has none, but a mirror or PIP_FIND_LINKS may
    local torch index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
    torch=$(grep -E '^torch==.*\+cpu$' "$constraints") || return 0
    "${pip[@]}" install --no-deps "$torch" > "$folder/install.log" 2>&1 && return
    grep -qE "^ERROR: (No matching distribution found for|Cannot install) torch" "$folder/install.log" \
        || fail_install "$torch does not install"
    echo "setup: taking $torch from $index"
    "${pip[@]}" install --no-deps --index-url "$index" "$torch" > "$folder/install.log" 2>&1 \
        || fail_install "$torch is neither where pip looks nor at $index: set TORCH_INDEX to an index that has it"
}

# The stack, and the package, are installed anew only when what they are made from has changed.
want=$(cat "$constraints" pyproject.toml | sha256sum | cut -d' ' -f1)
stamp=$folder/stack-${extras//,/-}
if [ "$(cat "$stamp" 2> /dev/null)" != "$want" ]; then
    echo "setup: installing [$extras] into $folder (about 3 minutes)"
    forget_half_installed
    install_torch
    "${pip[@]}" install --constraint "$constraints" ".[$extras]" > "$folder/install.log" 2>&1 \
        || fail_install "the install failed"
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
