#!/usr/bin/env bash
# GRPO on GPUs: base model, data set and cluster by name, everything else by verl's own overrides.
#   bash recipes/grpo.sh VIDEO_FOLDER model=NAME data=NAME cluster=NAME [option=NAME[,NAME...]] [HYDRA_OVERRIDE...]
#   model     qwen2_5_vl_3b 7b 32b 72b, qwen3_vl_4b 8b 30b_a3b 32b       (default qwen3_vl_8b, the paper's)
#   data      videossr, mvp, mvp_easy, mvp_hard, mvp_harder, videossr_mvp: built if not there yet; or the path of a
#             folder of `videossr build`, with a slash in it (default videossr)
#   cluster   1x1, 1x8, 2x8, 4x8, 8x8: nodes x GPUs; of a Ray cluster that has been started (default 1x8)
#   option    lora, frozen_vision, dynamic_batch, filter_groups, colocate_async, separate_async (one node more), ulysses,
#             as_published (what the released script of VideoSSR sets); several option= add up
#   --plan    only tell what memory the run needs, and refuse one that does not fit: builds nothing, starts nothing
#   --gpu G   for --plan: a100-40g, a100-80g, h100, h200, b200, l40s, rtx4090 or a number of GiB
#             (default: this machine's, else h100)
#   --host-memory GIB   for --plan: a node's own memory (default: this machine's if --gpu is; else the plan only tells
#             what a node needs)
#   RUN=runs/$data-$model      where data set and checkpoints go
#   MODEL=FOLDER               the weights are there, not on the hub
#   EMBEDDING=NAME             of masked video prediction: a CLIP folder or hub name, or built_in
#   MIX, TEST_COUNT            samples of each task and of the test set: --mix and --test-count of `videossr build`
#   CONFIG=videossr_grpo       Hydra config with the hyperparameters
#   DRY_RUN=1                  only print the commands
# Each choice is one file in videossr_verl/train/config with what differs, and why. Every
# combination composes and passes verl's own checks (tests/recipes/test_grpo_recipe.py). On a GPU whole steps have run of a
# tiny model only: recipes/README.md tells what one GPU showed, and check_gpu.sh what yours does.
set -euo pipefail

fail() {
    echo "${RECIPE:-grpo}: $1" >&2
    exit 2
}
case "${1:-}" in
"" | -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit $(($# == 0 ? 2 : 0))
    ;;
esac
[ -d "$1" ] || fail "'$1' is not a folder: give a folder of videos"
videos=$(cd -- "$1" && pwd)
shift

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
choices=$here/../videossr_verl/train/config
# shellcheck source=recipes/override.sh
source "$here/override.sh"
# shellcheck source=recipes/run.sh
source "$here/run.sh"
model=qwen3_vl_8b data=videossr cluster=1x8 option='' plan='' hardware=() overrides=()
while (($#)); do
    case "$1" in
    model=*) model=${1#*=} ;;
    data=*) data=${1#*=} ;;
    cluster=*) cluster=${1#*=} ;;
    option=*) option=${option:+$option,}${1#*=} ;;
    --plan) plan=1 ;;
    --gpu=* | --host-memory=*) hardware+=("$1") ;;
    --gpu | --host-memory)
        (($# > 1)) || fail "$1 needs a value, e.g. --gpu h100 --host-memory 1500"
        hardware+=("$1=$2")
        shift
        ;;
    *) overrides+=("$1") ;;
    esac
    shift
done
[ -n "$plan" ] || ((${#hardware[@]} == 0)) || fail "${hardware[0]%%=*} goes with --plan"
choice() { # group, name: exits where there is no such file
    [ -f "$choices/$1/$2.yaml" ] && return
    local known
    known=$(cd "$choices/$1" && echo *.yaml)
    fail "unknown $1 '$2': give one of ${known//.yaml/}"
}
choice base_model "$model"
choice cluster "$cluster"
for name in ${option//,/ }; do choice option "$name"; done
both() { [[ ",$option," == *",$1,"* && ",$option," == *",$2,"* ]]; }
! both colocate_async separate_async || fail "colocate_async and separate_async are two trainers: give one of them"
! both lora separate_async || fail "with separate_async verl sends the nodes that only answer no adapter: leave out lora"
preset=$data
if [[ "$data" == */* ]]; then
    [ -f "$data/train.parquet" ] || [ -n "${DRY_RUN:-}" ] || fail "'$data' holds no train.parquet: give a folder of videossr build"
    built=$(realpath -m -- "$data") preset=
    data=videossr_mvp # lengths for any of our tasks
else
    choice dataset "$data"
fi

run=$(realpath -m -- "${RUN:-runs/${preset:-$(basename -- "${built:-}")}-$model}")
config=${CONFIG:-videossr_grpo} embedding=${EMBEDDING:-openai/clip-vit-base-patch32}
weights=${MODEL:-$(sed -n 's/^ *path: //p' "$choices/base_model/$model.yaml")}
[ -z "$preset" ] || built=$run/data
embeds=''
case $preset in *mvp*) embeds=yes ;; esac # only masked video prediction compares frames
if [ -n "$preset" ] && [ -z "$plan" ]; then
    build=(videossr build "$videos" --out "$built" --preset "$preset" --data-root "$videos" --model "$weights")
    [ -z "$embeds" ] || build+=(--embedding "$embedding" --keep-embeddings "$run/embeddings")
    [ -z "${MIX:-}" ] || build+=(--mix "$MIX")
    [ -z "${TEST_COUNT:-}" ] || build+=(--test-count "$TEST_COUNT")
    do_it "${build[@]}"
fi

settings=(
    "base_model=$model"
    "dataset=$data"
    "cluster=$cluster"
    "option=[$option]"
    "data.train_files=$(quoted "$built/train.parquet")"
    "data.val_files=$(quoted "$built/test.parquet")"
    "data.data_root=$(quoted "$videos")"
    "actor_rollout_ref.model.path=$(quoted "$weights")"
    "trainer.default_local_dir=$(quoted "$run/steps")"
    "trainer.experiment_name=$(quoted "$(basename -- "$run")")"
)
[ -z "$embeds" ] || settings+=(
    "data.adaptive.embedding=$(quoted "$embedding")"
    "data.adaptive.keep_embeddings=$(quoted "$run/embeddings")"
)
if [ -n "$plan" ]; then
    do_it videossr plan --config-name "$config" --preset "${preset:-videossr_mvp}" "${hardware[@]}" "${settings[@]}" "${overrides[@]}"
else
    do_it python -m verl.trainer.main_ppo --config-name "$config" "${settings[@]}" "${overrides[@]}"
fi
