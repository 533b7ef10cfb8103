"""Adaptive difficulty in the README's first command: rewards reach the data set, and more steps go on from them."""

import json

import pytest


@pytest.fixture(scope="module")
def lines(two_runs):
    """Returns what was drawn before each of the four steps."""
    text = (two_runs[0] / "qwen2_5_vl-seed1" / "steps" / "difficulty.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_more_steps_go_on_where_the_run_stopped(two_runs, read_metrics):
    folder, *_, shown = two_runs
    assert "step 3/4" in shown
    assert "step 1/4" not in shown
    assert "step 0 -> 4" in shown
    records = read_metrics(*(folder / "qwen2_5_vl-seed1" / "metrics").glob("*.jsonl"))
    assert sorted(step for step, values in records.items() if "actor/grad_norm" in values) == [1, 2, 3, 4]


def test_each_batch_is_drawn_with_all_rewards_of_the_one_before(lines):
    assert [line["drawn"] for line in lines] == [6, 12, 18, 24]
    assert [line["groups"] for line in lines] == [
        0,
        6 - lines[0]["stored"],
        6 - lines[1]["stored"],
        6 - lines[2]["stored"],
    ]


def test_the_levels_of_all_tasks_are_told(lines):
    drawn = {level for line in lines for level in line["levels"]}
    assert all(level.startswith("videossr/") and level.count("/") == 2 for level in drawn)
    assert set(lines[0]["rates"]) == {
        "anomaly_grounding",
        "masked_video_prediction",
        "object_counting",
        "temporal_jigsaw",
    }


def test_useful_groups_are_those_of_verls_own_rollouts(two_runs, lines):
    """What the third batch learned from is the second step, whose rollouts verl wrote down."""
    folder, *_ = two_runs
    groups = {}
    for line in (folder / "rollouts" / "2.jsonl").read_text().splitlines():
        rollout = json.loads(line)
        groups.setdefault(rollout["uid"].rsplit("_", 2)[0], []).append(rollout["score"])
    assert len(groups) == 6
    assert all(len(rewards) == 8 for rewards in groups.values())
    useful = sum(max(rewards) - min(rewards) > 1e-6 for rewards in groups.values())
    assert abs(useful - lines[2]["useful"]) <= lines[1]["stored"]
