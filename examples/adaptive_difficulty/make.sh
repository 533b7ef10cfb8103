#!/usr/bin/env bash
# Does drawing at the difficulty that fits keep more groups useful? The quickstart from a model that was trained well, with
# its fixed preset and with levels, three seeds each: one hour on 2 cores, then the table and the picture.
#   bash examples/adaptive_difficulty/make.sh     SEEDS="1 2 3"   STEPS=30   RUN=runs/adaptive_difficulty
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
run=$(realpath -m "${RUN:-runs/adaptive_difficulty}")

for seed in ${SEEDS:-1 2 3}; do
    for arm in fixed adaptive; do
        levels=null
        [ "$arm" = fixed ] || levels=videossr_tiny_levels
        RUN=$run/$arm SEED=$seed STEPS=${STEPS:-30} MODEL=recipes/tiny/qwen2_5_vl bash recipes/quickstart_cpu.sh \
            data.train_batch_size=16 actor_rollout_ref.actor.ppo_mini_batch_size=16 \
            actor_rollout_ref.actor.optim.lr=1e-4 actor_rollout_ref.actor.use_kl_loss=true actor_rollout_ref.rollout.n=8 \
            data.adaptive.levels="$levels" data.val_max_samples=64 \
            trainer.rollout_data_dir="$run/$arm/qwen2_5_vl-seed$seed/rollouts"
    done
done
.venv/bin/python examples/adaptive_difficulty/compare.py "$run" examples/adaptive_difficulty/useful_groups.png
