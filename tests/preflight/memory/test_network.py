"""What crosses the network: figures by hand, for two nodes of 8; tests/train/test_sharding.py measures some.

Qwen3-VL-8B has 8,767,123,696 parameters. A step of 64 x 8 answers on 16 GPUs in micro batches of 8 makes 4 on each.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.preflight.memory.report import report
from videossr_verl.preflight.memory.run_settings import MicroBatch
from videossr_verl.preflight.memory.verdict import problems

COUNT = 8_767_123_696
OVER_ALL = [f"actor_rollout_ref.{part}.fsdp_config.fsdp_size=-1" for part in ("actor", "ref")]


def sharded(plan, size):
    actor, reference = (replace(engine, fsdp_size=size) for engine in (plan.run.actor, plan.run.reference))
    return {"actor": actor, "reference": reference}


def test_a_copy_in_each_node_sends_gradients_only(plan_of):
    """In fp32, 4 times, each to the other node and back: half of the sums are made there."""
    plan = plan_of("qwen3_vl_8b", "2x8")
    assert plan.network.parts == {"gathered weights": 0, "gradients": 4 * 4 * COUNT, "weights for vLLM": 0}
    assert "network      130.6 GiB into each node in a step: gradients 130.6\n" in report(plan)
    assert "             8 GPUs share a copy of the model\n" in report(plan)


def test_shards_over_all_gpus(plan_of):
    """In bf16 4 x (forward, backward, old log-probs, reference); gradients once in fp32; whole weights in fp32."""
    plan = plan_of("qwen3_vl_8b", "2x8", "h100", *OVER_ALL)
    network = plan.network
    assert network.gathered == pytest.approx(15 / 16 * 2 * COUNT * 4 * 4, abs=1)
    assert network.gradients == pytest.approx(15 / 16 * 4 * COUNT * 4, abs=1)
    assert network.exported == pytest.approx(15 / 16 * 4 * COUNT, abs=1)
    assert "398.0 GiB into each node in a step: gathered weights 245.0, gradients 122.5, weights for" in report(plan)
    size = "actor_rollout_ref.actor.fsdp_config.fsdp_size=8 actor_rollout_ref.ref.fsdp_config.fsdp_size=8"
    assert f"so that only gradients cross the network: {size}\n" in report(plan)


def test_one_node_has_no_network(plan_of):
    assert plan_of().network.total == 0
    assert "network  " not in report(plan_of())
    separate = plan_of("qwen3_vl_8b", "1x8", "h100", "option=[separate_async]")
    assert (separate.network.total, separate.network.sent) == (0, 4 * COUNT)
    assert "network      32.7 GiB of weights into each node that only answers" in report(separate)


def test_an_adapter_is_all_that_moves(plan_of):
    plan = plan_of("qwen3_vl_8b", "2x8", "h100", "option=[lora]")
    assert plan.network.parts == {
        "gathered weights": 0,
        "gradients": 16 * plan.parameters.adapter,
        "weights for vLLM": 0,
    }
    over_all = plan_of("qwen3_vl_8b", "2x8", "h100", "option=[lora]", *OVER_ALL).network
    # The reference is a pass of the actor's weights.
    assert over_all.gathered == pytest.approx(15 / 16 * 2 * plan.parameters.total * 4 * 4, abs=1)
    assert over_all.exported == pytest.approx(15 / 16 * 4 * plan.parameters.adapter, abs=1)


def test_a_frozen_tower_is_gathered_for_no_backward_pass(plan_of):
    whole, frozen = (
        plan_of("qwen3_vl_8b", "2x8", "h100", *OVER_ALL, *more) for more in ((), ("option=[frozen_vision]",))
    )
    less = whole.network.gathered - frozen.network.gathered
    assert less == pytest.approx(15 / 16 * 2 * 4 * frozen.parameters.vision, abs=1)


@given(st.sampled_from([1, 2, 4, 8, 16, 32, 64]), st.sampled_from([2, 4, 8]))
def test_smaller_shards_gather_less_and_all_send_gradients(plan_of, planned_again, size, nodes):
    plan = planned_again(plan_of("qwen3_vl_8b", "2x8"), nodes=nodes, **sharded(plan_of("qwen3_vl_8b", "2x8"), size))
    network, gradients = plan.network, 4 * COUNT * (64 * 8 // (8 * nodes) // 8)
    assert (network.gathered == 0) == (network.exported == 0) == (size <= 8)
    assert gradients / 2 < network.gradients < 2 * gradients


def test_fewer_and_larger_micro_batches_send_less(plan_of, planned_again):
    plan = plan_of("qwen3_vl_8b", "2x8")
    assert planned_again(plan, update=MicroBatch(16, None)).network.gradients == plan.network.gradients / 2
    # 32 answers of some 4,000 tokens, a typical prompt with the longest answer.
    typical = plan.prompts.typical.tokens + plan.run.answer_length
    dynamic = planned_again(plan, update=MicroBatch(None, 16 * typical)).network
    assert dynamic.gradients == plan.network.gradients / 2


@pytest.mark.parametrize("size", [0, 3])
def test_shards_that_do_not_divide(plan_of, planned_again, size):
    plan = plan_of("qwen3_vl_8b", "2x8")
    wrong = problems(planned_again(plan, **sharded(plan, size)))
    assert wrong[:2] == [
        f"actor_rollout_ref.{part}.fsdp_config.fsdp_size {size} does not divide 16 GPUs" for part in ("actor", "ref")
    ]
