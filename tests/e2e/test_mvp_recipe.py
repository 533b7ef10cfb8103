"""recipes/mvp.sh as on a cluster, but with a tiny model: raw videos, preset mvp, one GRPO step."""

import re
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from videossr_verl.tiny.generated_videos import generate_videos

RECIPE = Path(__file__).parent.parent.parent / "recipes" / "mvp.sh"


def test_from_raw_videos_to_an_update(tiny_model, environment, read_metrics, tmp_path):
    generate_videos(tmp_path / "videos", 6, seed=0, seconds=30)
    small = (
        "data.train_batch_size=2",
        "data.val_max_samples=1",
        "data.max_prompt_length=4096",
        "data.max_response_length=8",
        "actor_rollout_ref.rollout.max_model_len=4104",
        "actor_rollout_ref.rollout.n=2",
        "actor_rollout_ref.rollout.ignore_eos=true",
        "actor_rollout_ref.actor.ppo_mini_batch_size=2",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=4",
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=4",
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=4",
        "trainer.total_training_steps=1",
        "trainer.val_before_train=false",
        "trainer.test_freq=1",
        "trainer.logger=[console,file]",
        "reward.custom_reward_function.reward_kwargs.masked_video_prediction.order_weight=0.3",
    )
    finished = subprocess.run(
        ["bash", str(RECIPE), str(tmp_path / "videos"), *small],
        env=environment(
            MODEL=tiny_model,
            CONFIG="videossr_grpo_cpu",
            EMBEDDING="built_in",
            GPUS=1,
            RUN=tmp_path / "run",
            VERL_FILE_LOGGER_PATH=tmp_path / "metrics.jsonl",
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    rows = pq.read_table(tmp_path / "run" / "data" / "train.parquet").to_pylist()
    assert {row["extra_info"]["preset"] for row in rows} == {"mvp"}
    assert {len(row["reward_model"]["ground_truth"]) for row in rows} == {4}
    metrics = read_metrics(tmp_path / "metrics.jsonl")
    assert metrics[1]["training/rollout_probs_diff_max"] <= 0.01
    assert metrics[1]["training/rollout_actor_probs_pearson_corr"] > 0.999
    assert metrics[1]["val-aux/videossr/masked_video_prediction/chance/mean@1"] == pytest.approx(
        0.5 * 0.7 + 0.3 * 7 / 24
    )
    assert "rollout and trainer see the same prompts" in finished.stdout + finished.stderr


@pytest.mark.parametrize(
    ("folder", "changes", "sentence"),
    [
        ("nowhere", {}, "mvp: 'nowhere' is not a folder: give a folder of videos"),
        (
            ".",
            {"DATA": "mpv"},
            "mvp: unknown dataset 'mpv': give one of mvp mvp_easy mvp_hard mvp_harder videossr",
        ),
        (".", {"MODEL": "MODEL", "EMBEDDING": "built_in"}, "folder '.*' holds no video file"),
    ],
)
def test_wrong_input_is_one_sentence_and_code_2(folder, changes, sentence, tiny_model, environment, tmp_path):
    changes = {name: tiny_model if value == "MODEL" else value for name, value in changes.items()}
    command = ["bash", str(RECIPE), folder]
    finished = subprocess.run(
        command,
        env=environment(RUN=tmp_path / "run", **changes),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert re.search(sentence, finished.stderr)
