#!/usr/bin/env bash
# Everything that must hold: ruff (lint and format), then pytest, on the installed wheel and the real stack.
#   bash tests/run.sh                        all of it, tests/lmms in the environment that has lmms-eval
#   bash tests/run.sh -k name                any arguments go to pytest in the training environment
#   bash tests/run.sh tests/lmms [ARGUMENT]  only those of lmms-eval
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash recipes/setup_cpu.sh dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .

run() {
    VERL_PLATFORM=cpu HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 "$1/bin/python" -m pytest "${@:2}"
}
if [[ "${1:-}" != tests/lmms* ]]; then
    run .venv --ignore tests/lmms "$@"
    [ $# = 0 ] || exit 0
    set -- tests/lmms
fi
DEVICE=cpu bash recipes/setup_lmms.sh dev
run .venv-lmms "$@"
