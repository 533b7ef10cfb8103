"""recipes/mvp.sh as on a cluster, but with a tiny model: raw videos, preset mvp, two GRPO steps.

The vision tower is frozen, micro batches are cut by tokens, an update begins while rollouts go on, and beside the rows
that it builds stand rows of one's own, which another package scores, and some whose answers the model has learned.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from videossr_verl.tiny.generated_videos import generate_videos

RECIPE = Path(__file__).parent.parent.parent / "recipes" / "mvp.sh"
PROMPT, ANSWER, BATCH, ROLLOUTS = 4096, 12, 8, 4


def own_rows(file, video):
    """Writes a question about a video and one of text alone, in columns of other types than ours."""
    shown = {"video": str(video), "nframes": 4, "min_pixels": 28 * 28, "max_pixels": 56 * 56}
    rows = [
        {
            "data_source": "my_qa",
            "prompt": [{"role": "user", "content": "<video>" * len(videos) + "A or B?"}],
            "videos": videos,
            "reward_model": {"style": "rule", "ground_truth": truth},
            "extra_info": {"index": f"q{len(videos)}", "difficulty": 0.5, "options": 2},
        }
        for videos, truth in (([shown], ["A", "a"]), ([], "B"))
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def run(tiny_model, corpus_folder, dataset_folder, environment, read_metrics, my_qa, real_clips, tmp_path_factory):
    """Runs the recipe. Returns its folder, output, metrics, and the rollouts of both steps."""
    folder = tmp_path_factory.mktemp("mvp")
    shutil.copytree(corpus_folder, folder / "videos")
    generate_videos(folder / "videos" / "long", 6, seed=0, seconds=30)
    own_rows(folder / "own.jsonl", real_clips["bikes"])
    tokens = PROMPT + ANSWER  # a batch has more
    small = (
        "option=frozen_vision,dynamic_batch,colocate_async",
        f"data.train_files=[{folder}/own.jsonl,{folder}/run/data/train.parquet,{dataset_folder}/train.parquet]",
        "data.shuffle=false",
        f"data.train_batch_size={BATCH}",
        "data.val_max_samples=1",
        f"data.max_prompt_length={PROMPT}",
        f"data.max_response_length={ANSWER}",
        f"actor_rollout_ref.rollout.max_model_len={PROMPT + ANSWER}",
        f"actor_rollout_ref.rollout.n={ROLLOUTS}",
        f"actor_rollout_ref.actor.ppo_mini_batch_size={BATCH}",
        f"actor_rollout_ref.actor.ppo_max_token_len_per_gpu={tokens}",
        f"actor_rollout_ref.ref.log_prob_max_token_len_per_gpu={tokens}",
        f"actor_rollout_ref.rollout.log_prob_max_token_len_per_gpu={tokens}",
        "trainer.total_training_steps=2",
        "trainer.val_before_train=false",
        "trainer.test_freq=2",
        "trainer.logger=[console,file]",
        f"trainer.rollout_data_dir={folder}/rollouts",
        "reward.custom_reward_function.reward_kwargs.masked_video_prediction.order_weight=0.3",
    )
    finished = subprocess.run(
        ["bash", str(RECIPE), str(folder / "videos"), *small],
        env=environment(
            MODEL=tiny_model,
            CONFIG="videossr_grpo_cpu",
            EMBEDDING="built_in",
            GPUS=1,
            RUN=folder / "run",
            VERL_FILE_LOGGER_PATH=folder / "metrics.jsonl",
            PYTHONPATH=os.pathsep.join([str(my_qa), os.environ.get("PYTHONPATH", "")]),
        ),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    rollouts = [
        [json.loads(line) for line in (folder / "rollouts" / f"{step}.jsonl").read_text().splitlines()]
        for step in (1, 2)
    ]
    metrics = read_metrics(folder / "metrics.jsonl")
    return SimpleNamespace(folder=folder, said=finished.stdout + finished.stderr, metrics=metrics, rollouts=rollouts)


def test_from_raw_videos_to_updates(run):
    rows = pq.read_table(run.folder / "run" / "data" / "train.parquet").to_pylist()
    assert {row["extra_info"]["preset"] for row in rows} == {"mvp"}
    assert {len(row["reward_model"]["ground_truth"]) for row in rows} == {4}
    assert "rollout and trainer see the same prompts" in run.said
    # Weights that change while an answer is written make a gap in the second step.
    assert run.metrics[1]["training/off_policy/trajectory_staleness/max"] == 0
    assert run.metrics[1]["training/rollout_probs_diff_max"] <= 0.01
    assert run.metrics[1]["training/rollout_actor_probs_pearson_corr"] > 0.999


def test_chance_is_that_of_the_rewards_weights(run):
    name = "val-aux/videossr/masked_video_prediction/chance/mean@1"
    assert run.metrics[2][name] == pytest.approx(0.5 * 0.7 + 0.3 * 7 / 24)


def test_all_but_the_vision_tower_is_trained(run, tiny_model):
    (trained,) = (run.folder / "run" / "steps" / "global_step_2" / "actor" / "huggingface").glob("*.safetensors")
    before, after = load_file(tiny_model / "model.safetensors"), load_file(trained)
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name].to(weight.dtype))}
    assert any(".layers." in name for name in changed)
    assert not [name for name in changed if "visual" in name]


def test_a_step_has_a_gradient_where_a_group_differs(run):
    # The groups of the first step, whichever they are, may all have earned alike; the second has the KL loss as well.
    groups = {}
    for rollout in run.rollouts[0]:
        groups.setdefault(rollout["uid"].rsplit("_", 2)[0], set()).add(rollout["score"])
    assert (run.metrics[1]["actor/grad_norm"] > 0) == any(len(scores) > 1 for scores in groups.values())
    assert run.metrics[2]["actor/grad_norm"] > 0


def test_rows_of_ones_own_are_scored_by_their_own_package(run):
    rollouts = [rollout for step in run.rollouts for rollout in step]
    own = [(rollout, truth) for rollout in rollouts for truth in (["A", "a"], "B") if rollout["gts"] == truth]
    assert len(own) in (ROLLOUTS, 2 * ROLLOUTS)  # which groups are trained on first depends on whose answers come first
    assert all(rollout["score"] == float(rollout["output"].strip()[:1] in list(truth)) for rollout, truth in own)


@pytest.mark.parametrize(
    ("folder", "changes", "sentence"),
    [
        ("nowhere", {}, "mvp: 'nowhere' is not a folder: give a folder of videos"),
        (
            ".",
            {"DATA": "mpv"},
            "mvp: unknown dataset 'mpv': give one of arrow_of_time motion_primitives mvp mvp_easy",
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
