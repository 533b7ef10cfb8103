#!/usr/bin/env bash
# Everything that must hold: ruff (lint and format) and basedpyright (types), then pytest, on the installed wheel and the
# real stack.
#   bash tests/run.sh                        all of it, tests/lmms in the environment that has lmms-eval, and reading
#                                            videos with the newest PyAV as well
#   bash tests/run.sh -k name                any arguments go to pytest in the training environment
#   bash tests/run.sh tests/lmms [ARGUMENT]  only those of lmms-eval
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash recipes/setup_cpu.sh dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/basedpyright

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

# A training run starts its processes one after the other and keeps one core busy, so half of all time goes beside the
# other half: not more, as a run takes some 8 GB, and those with two rollout servers (two_nodes comes early on its side,
# grpo_recipe and prompt_router late on theirs) should not meet. Each side has a Ray of its own, in a folder with a short
# name, for sockets.
beside=(tests/e2e/test_{killed,adaptive,grpo_recipe,lost_videos,node_leaves,quickstart,mvp_recipe,equal_rows}.py)
beside+=(tests/patches/speed/test_prompt_router.py)
scratch=$(mktemp -d /tmp/tests-XXXXXX)
mkdir "$scratch/a" "$scratch/b"
echo "tests: ${beside[*]} run beside the others, their output comes last: $scratch/log"
RAY_TMPDIR=$scratch/a run .venv "${beside[@]}" > "$scratch/log" 2>&1 &
other=$!
trap 'kill "$other" 2> /dev/null || true' EXIT
code=0
RAY_TMPDIR=$scratch/b run .venv --ignore tests/lmms "${beside[@]/#/--ignore=}" || code=$?
bash tests/newest_av.sh || code=$?
RAY_TMPDIR=$scratch/b run_lmms tests/lmms || code=$?
wait "$other" || code=$?
cat "$scratch/log"
[ "$code" != 0 ] || rm -rf "$scratch" # of a failure Ray's logs stay there
exit "$code"
