"""Adaptive difficulty in the README's first command: rewards reach the data set, and more steps go on from them."""

import json

import pytest


@pytest.fixture(scope="module")
def run(quickstart, small, tmp_path_factory):
    """Two steps, then two more in a new process that resumes."""
    folder = tmp_path_factory.mktemp("an adaptive run")
    rollouts = f"trainer.rollout_data_dir={folder}/rollouts"
    for steps in (2, 4):
        finished = quickstart(folder, *small, "data.adaptive.levels=videossr_tiny_levels", rollouts, STEPS=steps)
        assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    lines = (folder / "qwen2_5_vl-seed1" / "steps" / "difficulty.jsonl").read_text().splitlines()
    return folder, [json.loads(line) for line in lines], finished.stdout


def test_more_steps_go_on_where_the_run_stopped(run, read_metrics):
    folder, _, shown = run
    assert "step 3/4" in shown
    assert "step 1/4" not in shown
    assert "step 0 -> 4" in shown
    records = read_metrics(*(folder / "qwen2_5_vl-seed1" / "metrics").glob("*.jsonl"))
    assert sorted(step for step, values in records.items() if "actor/grad_norm" in values) == [1, 2, 3, 4]


def test_each_batch_is_drawn_with_all_rewards_of_the_one_before(run):
    _, lines, _ = run
    assert [line["drawn"] for line in lines] == [6, 12, 18, 24]
    assert [line["groups"] for line in lines] == [
        0,
        6 - lines[0]["stored"],
        6 - lines[1]["stored"],
        6 - lines[2]["stored"],
    ]


def test_the_levels_of_all_tasks_are_told(run):
    _, lines, _ = run
    drawn = {level for line in lines for level in line["levels"]}
    assert all(level.startswith("videossr/") and level.count("/") == 2 for level in drawn)
    assert set(lines[0]["rates"]) == {
        "anomaly_grounding",
        "masked_video_prediction",
        "object_counting",
        "temporal_jigsaw",
    }


def test_useful_groups_are_those_of_verls_own_rollouts(run):
    """What the third batch learned from is the second step, whose rollouts verl wrote down."""
    folder, lines, _ = run
    groups = {}
    for line in (folder / "rollouts" / "2.jsonl").read_text().splitlines():
        rollout = json.loads(line)
        groups.setdefault(rollout["uid"].rsplit("_", 2)[0], []).append(rollout["score"])
    assert len(groups) == 6
    assert all(len(rewards) == 8 for rewards in groups.values())
    useful = sum(max(rewards) - min(rewards) > 1e-6 for rewards in groups.values())
    assert abs(useful - lines[2]["useful"]) <= lines[1]["stored"]
