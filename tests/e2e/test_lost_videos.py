"""Videos vanish or break while a run trains, and a group never ends. They are left out; too many end the run."""

import json
import shutil
import subprocess
import time
from itertools import chain, combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

DEADLINE = 600  # seconds
GROUP_DEADLINE = 30  # seconds; a step takes three


@pytest.fixture(scope="module")
def run(start_training, batches, tiny_model, dataset_folder, corpus_folder, read_metrics, tmp_path_factory):
    """Returns (folder, output, exit code) of a run with a row that never ends in the first step. After that step it
    loses two of its four training videos.
    """
    folder = tmp_path_factory.mktemp("losing")
    videos = folder / "videos"
    shutil.copytree(corpus_folder, videos)
    shutil.copy(Path(__file__).with_name("never_ends.py"), folder)
    (folder / "agents.yaml").write_text("- {name: never_ends, _target_: never_ends.NeverEnds}\n")
    never_ends = batches(dataset_folder / "train.parquet", 4, 1)[0][0]["extra_info"]["index"]
    table = pq.read_table(dataset_folder / "train.parquet")
    agents = ["never_ends" if i == never_ends else "single_turn_agent" for i in range(table.num_rows)]
    pq.write_table(table.append_column("agent_name", pa.array(agents)), folder / "train.parquet")
    settings = (
        f"data.train_files={folder}/train.parquet",
        f"data.val_files={dataset_folder}/test.parquet",
        f"data.data_root={videos}",
        "data.train_batch_size=4",
        "data.max_prompt_length=256",
        "data.max_response_length=12",
        "data.max_lost_share=0.15",  # 6 of 40 groups
        f"data.group_deadline={GROUP_DEADLINE}",
        f"actor_rollout_ref.rollout.agent.agent_loop_config_path={folder}/agents.yaml",
        f"actor_rollout_ref.model.path={tiny_model}",
        "actor_rollout_ref.actor.ppo_mini_batch_size=4",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=16",
        "actor_rollout_ref.rollout.n=4",
        "trainer.total_epochs=10",
        "trainer.val_before_train=false",
        "trainer.test_freq=-1",
        "trainer.logger=[console,file]",
        f"trainer.default_local_dir={folder}/steps",
    )
    with (folder / "log").open("w") as log:
        process = start_training(folder, *settings, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + DEADLINE
            while not (metrics := folder / "metrics.jsonl").is_file() or "\n" not in metrics.read_text():
                assert process.poll() is None, (folder / "log").read_text()[-3000:]
                assert time.monotonic() < deadline
                time.sleep(0.2)
            gone, cut = _two_that_leave_something(batches(folder / "train.parquet", 4, 20))
            (videos / gone).unlink()
            content = (videos / cut).read_bytes()
            (videos / cut).write_bytes(content[: len(content) // 3])
            code = process.wait(DEADLINE)
        finally:
            process.kill()
    return folder, {gone, cut}, (folder / "log").read_text(), code, read_metrics(folder / "metrics.jsonl")


def _two_that_leave_something(steps):
    """Returns two videos that no step's groups depend on altogether."""
    ending = [[row for row in rows if row["agent_name"] != "never_ends"] for rows in steps]
    needed = [[{video["video"] for video in row["videos"]} for row in rows] for rows in ending]
    pairs = combinations(sorted(set().union(*chain.from_iterable(needed))), 2)
    return next(pair for pair in pairs if all(any(not row & set(pair) for row in rows) for rows in needed))


def test_a_step_with_lost_groups_is_an_update_with_the_others(run):
    metrics = run[4]
    assert metrics[1]["training/lost_groups"] == 1  # that never ends
    losing = [step for step in metrics if metrics[step]["training/lost_groups"] > 0]
    assert losing
    for step in losing:
        assert metrics[step]["training/lost_groups"] < 4
        # The groups of the first step may all have earned alike; later ones have the KL loss as well.
        alike = step == 1 and metrics[step]["critic/advantages/max"] == 0
        assert metrics[step]["actor/grad_norm"] > 0 or alike
        assert metrics[step]["training/rollout_probs_diff_max"] <= 0.01


def test_they_are_listed_with_their_reason(run):
    folder, broken, *_ = run
    lines = [json.loads(line) for line in (folder / "steps" / "lost_groups.jsonl").read_text().splitlines()]
    assert {video for line in lines for video in line["videos"]} & broken
    assert len({line["group"] for line in lines}) == len(lines)
    late = [line for line in lines if "VideoRejected" not in line["reason"]]
    assert late[0]["step"] == 1
    assert {line["reason"] for line in late} == {
        f"GroupDeadlineError: no answer within data.group_deadline={GROUP_DEADLINE} s"
    }
    assert all(line["videos"] and line["reason"].isprintable() for line in lines)
    assert {reason for line in lines for reason in ("[missing]", "not a video") if reason in line["reason"]}


def test_the_counter_and_the_list_agree(run):
    folder, _, _, _, metrics = run
    lines = [json.loads(line) for line in (folder / "steps" / "lost_groups.jsonl").read_text().splitlines()]
    for step, values in metrics.items():
        assert values["training/lost_groups"] == sum(line["step"] == step for line in lines)


def test_too_many_end_the_run_and_say_which(run):
    _, broken, log, code, metrics = run
    assert code != 0
    (said,) = {line for line in log.splitlines() if "TooManyLostGroupsError: " in line and "more than" in line}
    assert "more than data.max_lost_share=0.15 of 10 batches: " in said
    assert any(video in said for video in broken)
    assert max(metrics) < 20
