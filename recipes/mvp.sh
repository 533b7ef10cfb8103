#!/usr/bin/env bash
# Masked video prediction on GPUs: builds the data set where it is not there yet, and trains.
#   bash recipes/mvp.sh VIDEO_FOLDER [HYDRA_OVERRIDE...]
#   DATA=mvp                              preset: mvp, mvp_easy, mvp_hard, mvp_harder, or videossr_mvp (all four tasks)
#   MODEL=Qwen/Qwen2.5-VL-7B-Instruct     folder or hub name
#   EMBEDDING=openai/clip-vit-base-patch32   folder or hub name of a CLIP model, or built_in
#   CONFIG=mvp_grpo                       Hydra config with the hyperparameters (default: the one that goes with DATA)
#   GPUS=8 NODES=1                        a node's GPUs, and nodes of a Ray cluster that has been started
#   RUN=runs/$DATA                        where data set and checkpoints go
# The configs are videossr_verl/train/config/mvp_grpo.yaml and videossr_mvp_grpo.yaml. It has run with
# a tiny model on CPU (tests/e2e/test_mvp_recipe.py), and not on a GPU yet.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=recipes/override.sh
source "$here/override.sh"
# shellcheck source=recipes/run.sh
source "$here/run.sh"

case "${1:-}" in
"" | -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit $(($# == 0 ? 2 : 0))
    ;;
esac
videos=$1
shift
[ -d "$videos" ] || {
    echo "mvp: '$videos' is not a folder: give a folder of videos" >&2
    exit 2
}
videos=$(cd -- "$videos" && pwd)
data=${DATA:-mvp} model=${MODEL:-Qwen/Qwen2.5-VL-7B-Instruct} embedding=${EMBEDDING:-openai/clip-vit-base-patch32}
run=$(realpath -m -- "${RUN:-runs/$data}")

case "$data" in
mvp | mvp_easy) config=mvp_grpo lengths=() ;;
mvp_hard | mvp_harder) config=mvp_grpo lengths=(data.max_prompt_length=6144) ;; # 27 and 36 frames or pairs of frames
videossr_mvp) config=videossr_mvp_grpo lengths=() ;;
*)
    echo "mvp: unknown DATA '$data': give mvp, mvp_easy, mvp_hard, mvp_harder or videossr_mvp" >&2
    exit 2
    ;;
esac

run videossr build "$videos" --out "$run/data" --preset "$data" --data-root "$videos" --embedding "$embedding" \
    --keep-embeddings "$run/embeddings" --model "$model"

settings=(
    "data.train_files=$(quoted "$run/data/train.parquet")"
    "data.val_files=$(quoted "$run/data/test.parquet")"
    "data.data_root=$(quoted "$videos")"
    "data.adaptive.embedding=$(quoted "$embedding")"
    "data.adaptive.keep_embeddings=$(quoted "$run/embeddings")"
    "actor_rollout_ref.model.path=$(quoted "$model")"
    trainer.n_gpus_per_node="${GPUS:-8}"
    trainer.nnodes="${NODES:-1}"
    "trainer.default_local_dir=$(quoted "$run/steps")"
)
run python -m verl.trainer.main_ppo --config-name "${CONFIG:-$config}" "${settings[@]}" "${lengths[@]}" "$@"
