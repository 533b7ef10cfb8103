"""Settings that save memory are named where they save none that is needed, and the run still fits without them."""

import pytest

from videossr_verl.preflight.memory.headroom import faster_settings
from videossr_verl.preflight.memory.report import report
from videossr_verl.preflight.memory.verdict import problems

POLICY = "actor_rollout_ref.actor.fsdp_config.offload_policy=false"
SIZES = ("actor_rollout_ref.actor.fsdp_config.fsdp_size=8", "actor_rollout_ref.ref.fsdp_config.fsdp_size=8")


@pytest.mark.parametrize(
    ("model", "cluster", "gpu", "named"),
    [
        ("qwen3_vl_30b_a3b", "1x8", "h100", []),  # 97 %: parts are estimates
        ("qwen3_vl_30b_a3b", "1x8", "h200", [POLICY]),
        ("qwen3_vl_30b_a3b", "2x8", "h100", [POLICY]),
        ("qwen3_vl_30b_a3b", "2x8", "h200", [POLICY, *SIZES]),
        ("qwen3_vl_32b", "1x8", "h100", []),
        ("qwen3_vl_32b", "2x8", "h100", [POLICY]),
        ("qwen2_5_vl_72b", "2x8", "h100", [*SIZES]),
        ("qwen2_5_vl_72b", "4x8", "h100", [POLICY]),
        ("qwen3_vl_8b", "2x8", "h100", []),
    ],
)
def test_what_the_hardware_has_room_for(plan_of, model, cluster, gpu, named):
    plan = plan_of(model, cluster, gpu)
    said = list(faster_settings(plan))
    settings = [word for clause in said for word in clause.split() if "=" in word]
    assert settings == named
    assert all(f"note: {clause}\n" in report(plan) for clause in said)
    with_them = plan_of(model, cluster, gpu, *settings)
    assert problems(with_them) == []
    assert with_them.peak.total <= 0.9 * with_them.gpu.memory
    assert list(faster_settings(with_them)) == []


def test_host_memory_counts_too(plan_of, planned_again):
    """A copy in each node takes twice the room of weights, gradients and optimizer on its host."""
    plan = plan_of("qwen2_5_vl_72b", "2x8", "h100")
    assert list(faster_settings(planned_again(plan, node_memory=4 * plan.host.most)))
    assert not list(faster_settings(planned_again(plan, node_memory=int(1.2 * plan.host.most))))
