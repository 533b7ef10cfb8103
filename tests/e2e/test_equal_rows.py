"""Qwen3-VL, started from another folder, with rows that are all equally long and few of them (PARITY's R4). They are
packed without padding, as on a GPU.

At the end the user's own reward fails in validation, which ends the run with its cause and row.
"""

import pyarrow.parquet as pq
import pytest
import torch

from data_preprocess.build import BuildSettings, build
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def qwen3_vl(tmp_path_factory):
    """Makes a random checkpoint whose weights are large enough for positions to matter."""
    tokenizer = train_tokenizer(["When does the segment start and end? <0.5 seconds> 14.5-26.2"] * 4, 512)
    model = build_model("qwen3_vl", tokenizer, 0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() >= 2:
                weight.normal_(0, 1.5 * weight[0].numel() ** -0.5, generator=generator)
    folder = tmp_path_factory.mktemp("qwen3_vl")
    save_checkpoint(model, build_processor("qwen3_vl", tokenizer), folder)
    return folder


def test_equally_long_rows_train_until_a_reward_fails(train, corpus_folder, qwen3_vl, read_metrics, tmp_path):
    preset = tmp_path / "one_task.yaml"
    preset.write_text(
        "clip: {num_frames: 8, fps: 4, min_pixels: 784, max_pixels: 4096}\n"
        "tasks: {anomaly_grounding: {weight: 1, difficulty: {min_length: 2, max_length: 4, perturbations: [invert]}}}\n"
    )
    build(BuildSettings((str(corpus_folder),), str(tmp_path / "data"), str(preset), count=4, test_count=1))
    lengths = {
        len(row["times"])
        for rows in pq.read_table(tmp_path / "data" / "train.parquet")["videos"].to_pylist()
        for row in rows
    }
    assert lengths == {8}
    (tmp_path / "my_rewards.py").write_text(
        "from videossr_verl.train import reward_hook\n"
        "def compute_score(data_source, solution_str, ground_truth, extra_info=None, **kwargs):\n"
        "    if extra_info['split'] == 'test':\n"
        "        raise ZeroDivisionError('a bug of mine')\n"
        "    return reward_hook.compute_score(data_source, solution_str, ground_truth, extra_info, **kwargs)\n"
    )
    finished = train(
        tmp_path,
        f"reward.custom_reward_function.path={tmp_path}/my_rewards.py",
        f"data.train_files={tmp_path}/data/train.parquet",
        f"data.val_files={tmp_path}/data/test.parquet",
        f"data.data_root={corpus_folder}",
        "data.train_batch_size=1",
        "data.max_prompt_length=512",
        "data.max_response_length=8",
        f"actor_rollout_ref.model.path={qwen3_vl}",
        "actor_rollout_ref.actor.ppo_mini_batch_size=1",
        "actor_rollout_ref.model.use_remove_padding=true",
        "actor_rollout_ref.model.override_config.attn_implementation=torch_flash_attention",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2",
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=2",
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=2",
        "actor_rollout_ref.rollout.n=2",
        "actor_rollout_ref.rollout.ignore_eos=true",
        "trainer.total_training_steps=3",
        "trainer.val_before_train=false",
        "trainer.test_freq=3",
        "trainer.logger=[console,file]",
        f"trainer.default_local_dir={tmp_path}/steps",
    )
    assert finished.returncode == 1
    (message,) = {
        line
        for line in finished.stderr.splitlines()
        if line.startswith("videossr_verl.patches.survival.reward_errors.")
    }
    assert "the reward of data_source 'videossr/anomaly_grounding' failed on the row with extra_info.index 0" in message
    assert "ZeroDivisionError: a bug of mine; mend the reward or the row" in message
    assert not (tmp_path / "steps" / "lost_groups.jsonl").exists()
    metrics = read_metrics(tmp_path / "metrics.jsonl")
    for step in (1, 2):
        assert metrics[step]["response_length/min"] == metrics[step]["response_length/max"] == 8
        assert metrics[step]["training/rollout_probs_diff_max"] <= 0.01
        assert metrics[step]["training/rollout_actor_probs_pearson_corr"] > 0.999
        assert metrics[step]["actor/grad_norm"] >= 0
