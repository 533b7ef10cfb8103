#!/usr/bin/env bash
# Does training on pretext tasks teach what no pretext task asks? Makes docs/transfer.md's table: a tiny model that answers
# pretext tasks and questions badly, then for each seed one GRPO run on the pretext tasks alone and one on the questions
# alone, both tested on both. Each run takes about as long as a quickstart, and so does the start.
#   bash recipes/transfer/run.sh [RUN=runs/transfer] [STEPS=40] [SEEDS="1 2 3"]
#   DRY_RUN=1                    only print the commands
# The same command goes on where it was stopped. Finished runs are not run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=recipes/override.sh
source recipes/override.sh
# shellcheck source=recipes/run.sh
source recipes/run.sh
# shellcheck source=recipes/tiny/train.sh
source recipes/tiny/train.sh

for word in "$@"; do
    case "$word" in
    RUN=* | STEPS=* | SEEDS=*) declare "$word" ;;
    *)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    esac
done
here=$PWD run=$(realpath -m -- "${RUN:-runs/transfer}") steps=${STEPS:-40} seeds=${SEEDS:-1 2 3}
videos=$run/videos start=$run/start
say() { [ -n "${DRY_RUN:-}" ] || printf '\n== %s\n' "$1"; }

say "installing"
do_it bash recipes/setup_cpu.sh dev
unset RAY_ADDRESS # a laptop's run has a Ray of its own
export VERL_PLATFORM=cpu HF_HUB_OFFLINE=1 VLLM_CPU_KVCACHE_SPACE=1 TOKENIZERS_PARALLELISM=false
py=$here/.venv/bin/python
mkdir -p -- "$run"
cd "$run" # the installed package is what runs, not the sources

if [ ! -d "$start" ]; then
    say "making the start (about 10 minutes, once)"
    make_start() { do_it env OMP_NUM_THREADS=1 "$py" "$here/recipes/transfer/make_start.py" --videos "$videos/start" "$@"; }
    [ -d "$run/able" ] || make_start --steps 400 --lr 1.5e-3 --out "$run/able"
    make_start --steps 100 --lr 1e-3 --careless 0.65 --init "$run/able" --out "$start"
fi

say "making the questions and the pretext data"
asked=$run/questions data=$run/pretext
do_it "$py" "$here/recipes/transfer/make_questions.py" --videos "$videos" --out "$asked"
do_it "$py" -m videossr_verl.tiny.corpus "$videos/pretext"
do_it "$py" -m videossr_verl.cli build "$videos/pretext" --out "$data" --preset videossr_tiny --data-root "$videos" \
    --count 2400 --test-count 400 --test-share 0.3 --model "$start" \
    --mix anomaly_grounding=1,temporal_jigsaw=1,object_counting=2,masked_video_prediction=2 # the quickstart's

tested="[$(quoted "$asked/test.jsonl"),$(quoted "$asked/blind.jsonl"),$(quoted "$data/test.parquet")]"
for seed in $seeds; do
    for rows in "pretext $data/train.parquet" "questions $asked/train.jsonl"; do
        say "training $steps steps on the ${rows%% *} alone, seed $seed"
        train_tiny "$run/${rows%% *}-seed$seed" "$start" "$steps" "$seed" "data.train_files=$(quoted "${rows#* }")" \
            "data.val_files=$tested" "data.data_root=$(quoted "$videos")" trainer.test_freq="$steps" \
            reward.custom_reward_function.path=pkg://videossr_verl.tiny.question_rewards
    done
done

say "the table"
do_it "$py" "$here/recipes/transfer/table.py" "$run"
