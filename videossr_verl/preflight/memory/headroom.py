"""What a run leaves free on its GPUs, and which settings would use it: what saves memory costs time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from videossr_verl.preflight.memory.estimate import Plan, make_plan
from videossr_verl.preflight.memory.remedies import sharding
from videossr_verl.preflight.memory.run_settings import Run
from videossr_verl.preflight.memory.trainer import shard_count
from videossr_verl.preflight.memory.verdict import problems

_FREE = 0.1  # of a GPU, because parts are estimates


def faster_settings(plan: Plan) -> Iterator[str]:
    """Yields one clause for each setting that saves memory without need, each with those before it."""
    run = plan.run
    if run.actor.always_offloaded:
        on_gpus = replace(run, actor=replace(run.actor, always_offloaded=False))
        if share := _room(plan, on_gpus):
            setting = "actor_rollout_ref.actor.fsdp_config.offload_policy=false"
            yield f"there is room for Adam on the GPUs, {share} of each: {setting}"
            run = on_gpus
    if shard_count(run.actor, run.gpus) > run.gpus_per_node:
        in_a_node = sharding(run.gpus_per_node)
        if share := _room(plan, in_a_node.apply(run)):
            yield (
                f"there is room for a copy of the model in each node, {share} of each GPU, so that only gradients cross"
                f" the network: {in_a_node.text}"
            )


def _room(plan: Plan, run: Run) -> str | None:
    """Returns the share of a GPU that a changed run would take, or None if it has not enough room."""
    changed = make_plan(run, plan.shape, plan.prompts, plan.gpu, plan.node_memory)
    share = changed.peak.total / plan.gpu.memory
    return f"{share:.0%}" if share <= 1 - _FREE and not problems(changed) else None
