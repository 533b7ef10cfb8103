#!/usr/bin/env bash
# Creates .venv with the pinned CPU stack and installs this package into it.
#   bash recipes/setup_cpu.sh [EXTRA...]     EXTRA: further extras of pyproject.toml, e.g. dev
#   PYTHON, TORCH_INDEX                      see recipes/environment.sh
set -euo pipefail
extras=cpu
for extra in "$@"; do extras+=",$extra"; done
exec bash "$(dirname "${BASH_SOURCE[0]}")/environment.sh" .venv constraints/cpu.txt "$extras"
