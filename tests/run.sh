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
run_lmms() {
    DEVICE=cpu bash recipes/setup_lmms.sh dev && run .venv-lmms "$@"
}
case "${1:-}" in
tests/lmms*)
    run_lmms "$@"
    exit
    ;;
?*)
    run .venv --ignore tests/lmms "$@"
    exit
    ;;
esac

# A training run starts its processes one after the other and keeps one core busy, so the runs of tests/e2e go beside all
# else. Each side has a Ray of its own, in a folder with a short name, for sockets.
scratch=$(mktemp -d /tmp/XXXXXX)
mkdir "$scratch/a" "$scratch/b"
echo "tests: tests/e2e runs beside the others, its output follows theirs: $scratch/e2e.log"
RAY_TMPDIR=$scratch/a run .venv tests/e2e > "$scratch/e2e.log" 2>&1 &
e2e=$!
trap 'kill "$e2e" 2> /dev/null || true' EXIT
code=0
RAY_TMPDIR=$scratch/b run .venv --ignore tests/lmms --ignore tests/e2e || code=$?
RAY_TMPDIR=$scratch/b run_lmms tests/lmms || code=$?
wait "$e2e" || code=$?
cat "$scratch/e2e.log"
[ "$code" != 0 ] || rm -rf "$scratch"
exit "$code"
