#!/usr/bin/env bash
# Base and trained checkpoint over the paper's 17 benchmarks with lmms-eval, or over any of its video tasks.
#   bash recipes/benchmarks.sh OUT NAME=MODEL [NAME=MODEL...]     MODEL: folder or hub name
#   FRAMES=48            at most so many frames, 2 a second (the paper: 32, 48 or 64; VIUBench always shows 48)
#   TASKS="mvbench ..."  lmms-eval tasks (default: those of the 17; mlvu_dev, motionbench, mmvu_val, vsibench,
#                        video_holmes and the like run too)
#   PROMPTS=paper        the paper's instruction in multiple choice; task: each task's own
#   TP=1                 GPUs that share the model
#   HF_HOME              where lmms-eval finds and puts data sets; some are gated, so log in to the hub first
#   VIDEO_BENCHMARKS     folder of those that we read ourselves: aotbench, vinoground, qvhighlights, activitynet, tacos, cvbench
#   VIUBENCH             folder of `videossr viubench build`
# Results go to OUT/NAME/TASK, the table to OUT/benchmarks.md. What is finished is not run again, what was interrupted
# goes on. `videossr benchmarks` tells what each benchmark needs. Which of them ran where: docs/evaluation.md.
set -euo pipefail

case "${1:-}" in
"" | -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit $(($# == 0 ? 2 : 0))
    ;;
esac
fail() {
    echo "benchmarks: $1" >&2
    exit 2
}
[ $# -ge 2 ] || fail "give OUT and at least one NAME=MODEL"
out=$(realpath -m -- "$1")
shift
for pair in "$@"; do
    [[ "$pair" =~ ^[A-Za-z0-9._-]+=.+$ ]] || fail "'$pair' must be NAME=MODEL, the name of letters, digits, . _ and -"
done
frames=${FRAMES:-48}
[[ "$frames" =~ ^[1-9][0-9]*$ ]] || fail "FRAMES='$frames' must be a number"
for path in "$out" "${@#*=}"; do
    [[ "$path" != *,* ]] || fail "'$path' has a comma, which lmms-eval takes for the end of a setting: give it another name"
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=recipes/run.sh
source recipes/run.sh
run bash recipes/setup_lmms.sh
py=$PWD/.venv-lmms/bin/python
read -ra tasks <<< "${TASKS:-$("$py" -m videossr_verl.cli benchmarks --tasks)}"
include=$("$py" -m videossr_verl.cli eval-path)

# A judge that TempCompass would ask about unclear answers fails at once; the table reads them by rule.
export OPENAI_API_URL=${OPENAI_API_URL:-http://127.0.0.1:9/} OPENAI_API_KEY=${OPENAI_API_KEY:-none}
export HF_HOME=${HF_HOME:-$HOME/.cache/huggingface}

for pair in "$@"; do # results of another model or number of frames must not be taken for these
    note=$out/${pair%%=*}/settings asked="${pair#*=} frames=$frames prompts=${PROMPTS:-paper}"
    [ ! -e "$note" ] || [ "$(cat "$note")" = "$asked" ] \
        || fail "'${note%/*}' holds results of $(cat "$note"), not of $asked: give another OUT or NAME"
    mkdir -p "${note%/*}"
    echo "$asked" > "$note"
done

ask() {
    "$py" -m lmms_eval --model videossr --model_args "$(IFS=,; echo "${arguments[*]}")" --tasks "$task" \
        --include_path "$include" --log_samples --output_path "$folder" --verbosity DEBUG 2>&1 \
        | stdbuf -oL tr '\r' '\n' | tee "$folder/lmms-eval.log" | grep --line-buffered -E '^ask:|^[A-Z_]+=.* is not' || true
}
runs=() broken=()
for pair in "$@"; do
    name=${pair%%=*} model=${pair#*=}
    runs+=("$name=$out/$name")
    for task in "${tasks[@]}"; do
        folder=$out/$name/$task
        [ ! -e "$folder/finished" ] || continue
        mkdir -p "$folder"
        echo "== $name: $task (log: $folder/lmms-eval.log)"
        arguments=(
            pretrained="$model"
            fps=2
            max_frames="$frames"
            prompts="${PROMPTS:-paper}"
            tensor_parallel_size="${TP:-1}"
            state="$folder/answers.jsonl"
        )
        # lmms-eval may end with 0 after an error, so a run has succeeded when its results are there.
        find "$folder" -name '*_results.json' -delete
        run ask
        if [ -n "$(find "$folder" -name '*_results.json')" ]; then
            touch "$folder/finished"
        else
            broken+=("$name/$task")
            echo "benchmarks: $task of $name did not finish, for this reason:" >&2
            grep -v '^ask:' "$folder/lmms-eval.log" | tail -1 >&2
        fi
    done
done
"$py" -m videossr_verl.cli benchmarks "${runs[@]}" --frames "$frames" --out "$out"
[ ${#broken[@]} = 0 ] || {
    echo "benchmarks: not finished: ${broken[*]}; the same command goes on, and asks only what is left" >&2
    exit 1
}
