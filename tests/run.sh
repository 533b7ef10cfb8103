#!/usr/bin/env bash
# Everything that must hold: ruff (lint and format), then pytest, on the installed wheel and the real stack.
#   bash tests/run.sh            all of it
#   bash tests/run.sh -k name    any arguments go to pytest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash recipes/setup_cpu.sh dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .

export VERL_PLATFORM=cpu HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
exec .venv/bin/python -m pytest "$@"
