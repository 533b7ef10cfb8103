"""recipes/grpo.sh on CPU with a tiny model: the choices reach verl, and micro batches by tokens give an update."""

import subprocess
from pathlib import Path

import torch
from safetensors.torch import load_file

RECIPE = Path(__file__).parent.parent.parent / "recipes" / "grpo.sh"


def test_an_update_by_names(tiny_model, dataset_folder, corpus_folder, environment, read_metrics, tmp_path):
    small = (
        "data.train_batch_size=4",
        "data.max_prompt_length=256",
        "data.max_response_length=12",
        "actor_rollout_ref.rollout.n=4",
        "actor_rollout_ref.actor.ppo_mini_batch_size=4",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=16",
        "actor_rollout_ref.rollout.agent.num_workers=1",
        "reward.num_workers=1",
        "trainer.total_training_steps=1",
        "trainer.val_before_train=false",
        "trainer.test_freq=-1",
        "trainer.logger=[console,file]",
        # So few tokens that the batch is cut in several.
        "actor_rollout_ref.actor.ppo_max_token_len_per_gpu=600",
        "actor_rollout_ref.ref.log_prob_max_token_len_per_gpu=600",
    )
    choices = ["model=qwen2_5_vl_7b", f"data={dataset_folder}", "cluster=1x1", "option=dynamic_batch,frozen_vision"]
    finished = subprocess.run(
        ["bash", str(RECIPE), str(corpus_folder), *choices, *small],
        env=environment(
            MODEL=tiny_model,
            CONFIG="videossr_grpo_cpu",
            RUN=tmp_path / "run",
            VERL_FILE_LOGGER_PATH=tmp_path / "metrics.jsonl",
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    metrics = read_metrics(tmp_path / "metrics.jsonl")[1]
    assert metrics["training/rollout_probs_diff_max"] <= 0.01
    assert metrics["actor/grad_norm"] > 0
    (trained,) = (tmp_path / "run" / "steps" / "global_step_1" / "actor" / "huggingface").glob("*.safetensors")
    before, after = load_file(tiny_model / "model.safetensors"), load_file(trained)
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name].to(weight.dtype))}
    assert any(".layers." in name for name in changed)
    assert not [name for name in changed if "visual" in name]
