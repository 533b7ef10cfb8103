# shellcheck shell=bash
# For the recipes to source, after run.sh and override.sh: GRPO of a tiny model on CPUs. The Python that runs it is $py.
# shellcheck disable=SC2154

train_tiny() { # folder, model, steps, seed, Hydra override...: goes on where it stopped, ends with the folder's checkpoint
    local train=$1 model=$2 steps=$3 seed=$4 trained
    shift 4
    trained=$(cat "$train/steps/latest_checkpointed_iteration.txt" 2> /dev/null || echo 0)
    if [ "$trained" -lt "$steps" ]; then
        local rows=(
            data.train_batch_size=40
            data.max_prompt_length=256
            data.max_response_length=12
            data.seed="$seed"
        )
        local actor=(
            "actor_rollout_ref.model.path=$(quoted "$model")"
            actor_rollout_ref.actor.optim.lr=5e-4
            actor_rollout_ref.actor.optim.lr_scheduler_type=cosine # down to 0, so that seeds end close together
            actor_rollout_ref.actor.optim.lr_warmup_steps=10
            actor_rollout_ref.actor.ppo_mini_batch_size=40
            actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=80
            actor_rollout_ref.actor.use_kl_loss=false
            actor_rollout_ref.rollout.n=4 # more prompts a step teach more than more answers to each
        )
        local trainer=(
            trainer.total_training_steps="$steps"
            trainer.total_epochs=100
            trainer.test_freq=30
            trainer.save_freq=30
            trainer.max_actor_ckpt_to_keep=1
            trainer.logger="[console,file]"
            "trainer.default_local_dir=$(quoted "$train/steps")"
        )
        do_it followed "$train" "$steps" "$py" -m verl.trainer.main_ppo --config-name videossr_grpo_cpu \
            "${rows[@]}" "${actor[@]}" "${trainer[@]}" "hydra.run.dir=$(quoted "$train/hydra")" "$@"
    fi
    [ -d "$train/checkpoint" ] || do_it "$py" -m videossr_verl.run.export_checkpoint "$train/steps" --out "$train/checkpoint"
}
followed() { # folder, steps, command...: its output goes to the folder's train.log, its steps to the screen
    local train=$1 steps=$2 metrics
    shift 2
    rm -rf "$train/checkpoint"
    mkdir -p "$train/metrics"
    metrics=$train/metrics/$(date +%s).jsonl
    VERL_FILE_LOGGER_PATH=$metrics "$@" 2>&1 \
        | "$py" -m videossr_verl.run.follow "$train/train.log" --metrics "$metrics" --total "$steps"
}
