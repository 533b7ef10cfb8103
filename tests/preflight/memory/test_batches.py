"""What verl cannot cut into equal parts is told before it starts. 64 prompts x 8 answers on 8 GPUs, unless changed."""

from dataclasses import replace

import pytest

from videossr_verl.preflight.memory.batches import batch_problems
from videossr_verl.preflight.memory.remedies import find_remedy
from videossr_verl.preflight.memory.run_settings import Answering, MicroBatch
from videossr_verl.preflight.memory.verdict import problems


def own_nodes(sync_step):
    return Answering(nodes=1, gpus_per_node=8, sync_step=sync_step, trainers_too=True)


@pytest.mark.parametrize(
    ("changes", "reason", "remedy"),
    [
        (
            {"mini_batch": 65},
            "ppo_mini_batch_size 65 is more than data.train_batch_size 64",
            "ppo_mini_batch_size=64",
        ),
        ({"prompts": 63, "mini_batch": 63, "gpus_per_node": 5}, "504 answers a step do not divide among 5 GPUs", None),
        ({"mini_batch": 3, "nodes": 2}, "24 answers of an update do not divide among 16 data-parallel GPUs", None),
        # What separate_async's options were once: each GPU of 4 x 8 gets 4 answers of an update's 16 prompts.
        (
            {"mini_batch": 16, "nodes": 4, "answering": own_nodes(4)},
            "ppo_micro_batch_size_per_gpu 8 does not divide the 4 answers that a GPU gets",
            "ppo_micro_batch_size_per_gpu=4",
        ),
        (
            {"answering": own_nodes(4)},
            "separate_async takes 4 (parameter_sync_step) x 64 (ppo_mini_batch_size) prompts a step",
            "data.train_batch_size=256",
        ),
        (
            {"log_prob": MicroBatch(48, None)},
            "rollout.log_prob_micro_batch_size_per_gpu 48 does not divide the 64 answers",
            "micro_batch_size_per_gpu=4",
        ),
        (
            {"update": MicroBatch(1, None), "reference_log_prob": MicroBatch(5, None)},
            "ref.log_prob_micro_batch_size_per_gpu 5 does not divide the 64 answers",
            "micro_batch_size_per_gpu=4",
        ),
    ],
)
def test_a_reason_and_a_remedy_that_works(plan_of, planned_again, changes, reason, remedy):
    plan = planned_again(plan_of(gpu="h200"), **changes)
    assert any(reason in wrong for wrong in problems(plan)), problems(plan)
    found = find_remedy(plan)
    assert remedy is None or remedy in found


@pytest.mark.parametrize(
    "changes",
    [
        # Old log-probs and the reference's are of all 64 prompts, an update's of 16.
        {"mini_batch": 16, "update": MicroBatch(16, None), "log_prob": MicroBatch(64, None)},
        {"mini_batch": 16, "prompts": 64, "nodes": 4, "update": MicroBatch(4, None)},
        {"mini_batch": 16, "answering": own_nodes(4)},
        # verl fills 63 prompts up to 4 updates.
        {"mini_batch": 16, "prompts": 63, "log_prob": MicroBatch(64, None)},
        {"reference": None, "reference_log_prob": MicroBatch(5, None)},
        {"sequence_parallel": 2, "nodes": 8, "update": MicroBatch(16, None)},
        {"mini_batch": 3, **dict.fromkeys(("update", "log_prob", "reference_log_prob"), MicroBatch(None, 16384))},
    ],
)
def test_what_divides(plan_of, changes):
    assert list(batch_problems(replace(plan_of().run, **changes))) == []


def test_sequence_parallelism_that_does_not_divide_is_told_once(plan_of, planned_again):
    plan = planned_again(plan_of(gpu="h200"), sequence_parallel=2, gpus_per_node=1)
    assert [reason for reason in problems(plan) if "GiB" not in reason] == [
        "ulysses_sequence_parallel_size 2 does not divide 1 GPUs"
    ]
