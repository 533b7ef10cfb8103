"""recipes/grpo.sh on CPU with a tiny model: the choices reach verl, and its options give right updates together."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

HERE = Path(__file__).parent
RECIPE = HERE.parent.parent / "recipes" / "grpo.sh"
RUN = "jürgen's runs, [1] = #2"  # a folder may have any name
SMALL = (
    "data.train_batch_size=4",
    "data.parity=off",
    "data.max_prompt_length=256",
    "data.max_response_length=12",
    "actor_rollout_ref.rollout.n=4",
    "actor_rollout_ref.actor.ppo_mini_batch_size=4",
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=16",
    "actor_rollout_ref.rollout.agent.num_workers=1",
    "reward.num_workers=1",
    "trainer.total_training_steps=2",
    "trainer.val_before_train=false",
    "trainer.test_freq=-1",
    "trainer.logger=[console,file]",
)


@pytest.fixture
def grpo(tiny_model, dataset_folder, corpus_folder, environment, read_metrics, my_qa, tmp_path):
    """(options, *overrides) -> metrics of two steps in tmp_path."""

    def run(options, *overrides):
        choices = ["model=qwen2_5_vl_7b", f"data={dataset_folder}", "cluster=1x1", f"option={options}"]
        finished = subprocess.run(
            ["bash", str(RECIPE), str(corpus_folder), *choices, *SMALL, *overrides],
            env=environment(
                MODEL=tiny_model,
                CONFIG="videossr_grpo_cpu",
                RUN=tmp_path / RUN,
                VERL_FILE_LOGGER_PATH=tmp_path / "metrics.jsonl",
                PYTHONPATH=os.pathsep.join([str(HERE), str(my_qa), os.environ.get("PYTHONPATH", "")]),
            ),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
        return read_metrics(tmp_path / "metrics.jsonl")

    return run


@pytest.fixture
def own_rows(real_clips, tmp_path):
    """A file with a video question and one of text alone, whose columns have other types than ours."""
    video = {"video": str(real_clips["bikes"]), "nframes": 4, "min_pixels": 28 * 28, "max_pixels": 56 * 56}
    rows = [
        {
            "data_source": "my_qa",
            "prompt": [{"role": "user", "content": "<video>" * len(videos) + "A or B?"}],
            "videos": videos,
            "reward_model": {"style": "rule", "ground_truth": truth},
            "extra_info": {"index": f"q{len(videos)}", "difficulty": 0.5, "options": 2},
        }
        for videos, truth in (([video], ["A", "a"]), ([], "B"))
    ]
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def _some_group_differs(rollouts):
    groups = {}
    for rollout in rollouts:
        groups.setdefault(rollout["uid"].rsplit("_", 2)[0], set()).add(rollout["score"])
    return any(len(scores) > 1 for scores in groups.values())


def test_a_frozen_tower_and_batches_by_tokens_while_rollouts_go_on(
    grpo, own_rows, dataset_folder, tiny_model, tmp_path
):
    """With rows of one's own among ours, which another package scores."""
    # So few tokens that the batch is cut in several.
    metrics = grpo(
        "dynamic_batch,frozen_vision,colocate_async",
        f"data.train_files=[{own_rows},{dataset_folder}/train.parquet]",
        "data.shuffle=false",
        f"trainer.rollout_data_dir={tmp_path}/rollouts",
        "actor_rollout_ref.actor.ppo_max_token_len_per_gpu=600",
        "actor_rollout_ref.ref.log_prob_max_token_len_per_gpu=600",
        "actor_rollout_ref.rollout.log_prob_max_token_len_per_gpu=600",
    )
    assert metrics[1]["training/off_policy/trajectory_staleness/max"] == 0
    assert metrics[1]["training/rollout_probs_diff_max"] <= 0.01
    (trained,) = (tmp_path / RUN / "steps" / "global_step_2" / "actor" / "huggingface").glob("*.safetensors")
    before, after = load_file(tiny_model / "model.safetensors"), load_file(trained)
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name].to(weight.dtype))}
    assert any(".layers." in name for name in changed)
    assert not [name for name in changed if "visual" in name]
    steps = [
        [json.loads(line) for line in (tmp_path / "rollouts" / f"{step}.jsonl").read_text().splitlines()]
        for step in (1, 2)
    ]
    # The groups of the first step, whichever they are, may all have earned alike; the second has the KL loss as well.
    assert (metrics[1]["actor/grad_norm"] > 0) == _some_group_differs(steps[0])
    assert metrics[2]["actor/grad_norm"] > 0
    rollouts = [rollout for step in steps for rollout in step]
    own = [(rollout, truth) for rollout in rollouts for truth in (["A", "a"], "B") if rollout["gts"] == truth]
    assert len(own) in (4, 8)  # which groups are trained on first depends on whose answers come first
    assert all(rollout["score"] == float(rollout["output"].strip()[:1] in list(truth)) for rollout, truth in own)


def test_rollouts_on_gpus_of_their_own(grpo):
    """Two updates a step: the second one's old log-probs are those of the weights that answered, not of the first."""
    metrics = grpo(
        "separate_async",
        "data.train_batch_size=8",
        "trainer.v1.separate_async.parameter_sync_step=2",
        "actor_rollout_ref.actor.optim.lr=1e-3",
        "actor_rollout_ref.rollout.n_gpus_per_node=1",
        "actor_rollout_ref.rollout.checkpoint_engine.backend=object_store",
        "actor_rollout_ref.rollout.checkpoint_engine.custom_backend_module=object_store_weights",
        "ray_kwargs.ray_init.num_cpus=16",
        "ray_kwargs.ray_init.num_gpus=2",
    )
    assert metrics[1]["training/off_policy/trajectory_staleness/max"] == 0
    # Rounding alone was up to 2.5e-4; other weights than those that answered, as in the next step, 0.6.
    assert metrics[1]["training/rollout_probs_diff_max"] <= 0.01
    assert metrics[1]["actor/ppo_kl"] > 1e-3
    assert metrics[2]["training/off_policy/trajectory_staleness/max"] == 1
    assert metrics[2]["actor/grad_norm"] > 0


def test_an_adapter_is_trained_on_groups_that_differ(grpo, tmp_path):
    """An update moves the policy far, and rollouts still come from the trainer's weights: vLLM has the adapter."""
    metrics = grpo(
        "lora,filter_groups", "actor_rollout_ref.actor.optim.lr=0.01", f"trainer.rollout_data_dir={tmp_path}/rollouts"
    )
    assert metrics[2]["actor/kl_loss"] > 1e-3
    assert all(metrics[step]["training/rollout_probs_diff_max"] <= 0.01 for step in (1, 2))
    for step in (1, 2):
        rows = [json.loads(line) for line in (tmp_path / "rollouts" / f"{step}.jsonl").read_text().splitlines()]
        groups = {}
        for row in rows:
            groups.setdefault(row["gts"], []).append(row["score"])
        assert all(len(set(scores)) > 1 for scores in groups.values())
    assert (tmp_path / RUN / "steps" / "global_step_2" / "actor" / "lora_train_meta.json").is_file()
