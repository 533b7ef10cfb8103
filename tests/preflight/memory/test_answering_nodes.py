"""separate_async: nodes that train, and nodes that only answer."""

from dataclasses import replace

import pytest

from videossr_verl.preflight.memory.report import report
from videossr_verl.preflight.memory.verdict import problems


@pytest.fixture(scope="session")
def plan(plan_of):
    return plan_of("qwen3_vl_8b", "2x8", "h100", "option=[separate_async]")


def parts(plan):
    return {phase.name: {name for name, size in phase.parts.items() if size} for phase in plan.phases}


def test_a_node_more_than_the_cluster_has(plan):
    assert report(plan).startswith("Qwen/Qwen3-VL-8B-Instruct on 2 x 8 h100 and 1 x 8 that only answer (")
    assert problems(plan) == []


def test_gpus_that_only_answer_hold_no_trainer(plan):
    assert plan.phases[-1].name == "answering"
    assert parts(plan)["answering"] == {"vLLM", "CUDA, NCCL"}


def test_gpus_that_train_have_an_engine_for_validations(plan, plan_of):
    shared = plan_of("qwen3_vl_8b", "2x8")
    assert [phase.total for phase in plan.phases[:-1]] == [phase.total for phase in shared.phases]
    assert parts(plan).keys() - parts(shared).keys() == {"validation", "answering"}


def test_without_it_they_hold_none(plan, planned_again):
    alone = planned_again(plan, answering=replace(plan.run.answering, trainers_too=False))
    assert "validation" not in parts(alone)
    assert [name for name, held in parts(alone).items() if "vLLM" in held] == ["answering"]
    sent, shared = alone.phases[-2].parts, plan.phases[-2].parts
    assert sent["bucket"] == 2 * shared["bucket"]


def test_engines_must_divide_their_gpus(plan, planned_again):
    engines = replace(plan.run.rollout, tensor_parallel=4, group=4)
    wrong = problems(planned_again(plan, rollout=engines, answering=replace(plan.run.answering, gpus_per_node=2)))
    assert wrong == ["actor_rollout_ref.rollout: engines of 4 GPUs do not divide the 2 GPUs that only answer"]
