"""Finds what to change so that a run fits. It tries settings in the plan itself, the cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from videossr_verl.preflight.memory.estimate import Plan, make_plan
from videossr_verl.preflight.memory.run_settings import MicroBatch, Run
from videossr_verl.preflight.memory.trainer import shard_count
from videossr_verl.preflight.memory.verdict import problems

_ROLLOUT, _FSDP = "actor_rollout_ref.rollout", "actor_rollout_ref.actor.fsdp_config"
_MOST_AT_ONCE = 3


@dataclass(frozen=True)
class Remedy:
    """One change: what it sets (two of a kind exclude each other), how people write it, and what it does to a run."""

    kind: str
    text: str
    apply: Callable[[Run], Run]


def find_remedy(plan: Plan) -> str | None:
    """Returns the fewest and cheapest changes that leave nothing wrong, as text, or None if there are none."""
    known = list(_remedies(plan))
    for count in range(1, _MOST_AT_ONCE + 1):
        for chosen in combinations(known, count):
            if len({remedy.kind for remedy in chosen}) == count and _fits(plan, chosen):
                return " ".join(remedy.text for remedy in chosen)
    return None


def sharding(size: int) -> Remedy:
    """Returns what makes `size` GPUs share a copy of the model; all of them for -1."""
    text = f"{_FSDP}.fsdp_size={size} actor_rollout_ref.ref.fsdp_config.fsdp_size={size}"
    return Remedy("shards", text, lambda run: _sharded(run, size))


def _fits(plan: Plan, chosen: tuple[Remedy, ...]) -> bool:
    run = plan.run
    for remedy in chosen:
        run = remedy.apply(run)
    return not problems(make_plan(run, plan.shape, plan.prompts, plan.gpu, plan.node_memory))


def _remedies(plan: Plan) -> Iterator[Remedy]:
    run = plan.run
    length = max(run.prompt_length, plan.prompts.longest.tokens)
    longest = length + run.answer_length
    if length > run.prompt_length:
        yield Remedy("prompt", f"data.max_prompt_length={length}", lambda r: replace(r, prompt_length=length))
    if plan.rollout.max_model_len != longest:
        yield _of_rollout("length", f"{_ROLLOUT}.max_model_len={longest}", max_model_len=longest)
    if run.fused:
        text = "actor_rollout_ref.model.use_fused_kernels=false"
        yield Remedy("fused", text, lambda r: replace(r, fused=None))
    yield from _batches(run)
    yield from _micro_batches(run)
    for share in (0.5, 0.4, 0.3, 0.7, 0.8, 0.85):
        yield _of_rollout("share", f"{_ROLLOUT}.gpu_memory_utilization={share}", utilization=share)
    for gpus in (size for size in (2, 4, 8) if size > run.rollout.group):
        text = f"{_ROLLOUT}.tensor_model_parallel_size={gpus}"
        yield _of_rollout("tensor", text, tensor_parallel=gpus, group=gpus)
    if shard_count(run.actor, run.gpus) < run.gpus:
        yield sharding(-1)
    yield from _offloads(run)
    yield Remedy("ulysses", "actor_rollout_ref.actor.ulysses_sequence_parallel_size=1", _without_ulysses)
    for nodes in (nodes for nodes in (1, 2, 4, 8) if nodes * 8 > run.gpus):
        yield Remedy("cluster", f"cluster={nodes}x8", lambda r, n=nodes: _on_nodes(r, n))


def _on_nodes(run: Run, nodes: int) -> Run:
    # Models below 30 B are sharded over the GPUs of a node, whatever their number.
    follows = run.actor.fsdp_size == run.gpus_per_node
    run = replace(run, nodes=nodes, gpus_per_node=8)
    return _sharded(run, 8) if follows else run


def _sharded(run: Run, size: int) -> Run:
    reference = replace(run.reference, fsdp_size=size) if run.reference else None
    return replace(run, actor=replace(run.actor, fsdp_size=size), reference=reference)


def _of_rollout(kind: str, text: str, **changes: float) -> Remedy:
    return Remedy(kind, text, lambda run: replace(run, rollout=replace(run.rollout, **changes)))


def _batches(run: Run) -> Iterator[Remedy]:
    if run.answering:
        whole = run.answering.sync_step * run.mini_batch
        if run.prompts != whole:
            yield Remedy("batch", f"data.train_batch_size={whole}", lambda r: replace(r, prompts=whole))
    elif run.mini_batch > run.prompts:
        text = f"actor_rollout_ref.actor.ppo_mini_batch_size={run.prompts}"
        yield Remedy("batch", text, lambda r: replace(r, mini_batch=r.prompts))


def _micro_batches(run: Run) -> Iterator[Remedy]:
    largest = max(micro.samples or 0 for micro in (run.update, run.log_prob, run.reference_log_prob))
    for samples in (size for size in (4, 2, 1) if size < largest):
        one = MicroBatch(samples, None)
        text = f"actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu={samples}"
        text += f" {_ROLLOUT}.log_prob_micro_batch_size_per_gpu={samples}"
        text += f" actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu={samples}"
        yield Remedy("micro", text, lambda r, m=one: replace(r, update=m, log_prob=m, reference_log_prob=m))


def _offloads(run: Run) -> Iterator[Remedy]:
    moved = f"{_FSDP}.param_offload={{0}} {_FSDP}.optimizer_offload={{0}}"
    if run.actor.always_offloaded:
        stays = replace(run.actor, always_offloaded=False, param_offload=False, optimizer_offload=False)
        text = f"{_FSDP}.offload_policy=false {moved.format('false')}"
        yield Remedy("offload", text, lambda r: replace(r, actor=stays))
    else:
        waits = replace(run.actor, param_offload=True, optimizer_offload=True)
        yield Remedy("offload", moved.format("true"), lambda r: replace(r, actor=waits))
        always = replace(run.actor, always_offloaded=True)
        yield Remedy("offload", f"{_FSDP}.offload_policy=true", lambda r: replace(r, actor=always))


def _without_ulysses(run: Run) -> Run:
    return replace(run, sequence_parallel=1)
