"""Judges whether a run fits. Each reason why not is one sentence that names the part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from videossr_verl.preflight.memory.batches import batch_problems
from videossr_verl.preflight.memory.estimate import Plan
from videossr_verl.preflight.memory.gpus import GIB
from videossr_verl.preflight.memory.trainer import shard_count

_ROLLOUT = "actor_rollout_ref.rollout"
_WHERE = {
    "rollout": "while vLLM answers",
    "validation": "while vLLM answers in a validation",
    "log-probs": "while log-probabilities are computed",
    "backward": "in an update's backward pass",
    "optimizer": "in the optimizer's step",
    "sync": "while vLLM gets the new weights",
    "answering": "while vLLM answers on nodes of its own",
}


def problems(plan: Plan) -> list[str]:
    """Returns why the run cannot start, or would end for want of memory: one clause each, the most basic first."""
    return [*_parallel(plan), *batch_problems(plan.run), *_lengths(plan), *_memory(plan), *_cache(plan), *_host(plan)]


def notes(plan: Plan) -> list[str]:
    """Returns notes that a reader should know even if the plan fits."""
    said = []
    run, peak = plan.run, plan.peak
    if 0.9 * plan.gpu.memory < peak.total <= plan.gpu.memory:
        said.append(
            f"tight: {peak.total / plan.gpu.memory:.0%} of the GPU {_WHERE[peak.name]}, and parts are estimates"
        )
    if plan.node_memory and 0.9 * plan.node_memory < plan.host.most <= plan.node_memory:
        said.append(
            f"tight: {plan.host.most / plan.node_memory:.0%} of a node's memory, without Ray, Python and the page cache"
        )
    if run.rollout.max_model_len is None and plan.rollout.max_model_len > run.prompt_length + run.answer_length:
        said.append(
            f"vLLM plans for requests of {plan.rollout.max_model_len:,} tokens: "
            f"{_ROLLOUT}.max_model_len={run.prompt_length + run.answer_length} is enough"
        )
    return said


def _parallel(plan: Plan) -> Iterator[str]:
    run, text = plan.run, plan.shape.text
    parts, group = run.sequence_parallel, run.rollout.group
    if run.trainers_answer and run.gpus % group:
        yield f"{_ROLLOUT}: engines of {group} GPUs do not divide {run.gpus} GPUs"
    if run.answering and run.answering.gpus % group:
        yield f"{_ROLLOUT}: engines of {group} GPUs do not divide the {run.answering.gpus} GPUs that only answer"
    if text.heads % run.rollout.tensor_parallel:
        yield f"tensor_model_parallel_size {run.rollout.tensor_parallel} does not divide {text.heads} attention heads"
    if parts > 1:
        yield from _ulysses(plan)
    for part, engine in (("actor", run.actor), ("ref", run.reference)):
        if engine and (engine.fsdp_size == 0 or run.gpus % shard_count(engine, run.gpus)):
            yield f"actor_rollout_ref.{part}.fsdp_config.fsdp_size {engine.fsdp_size} does not divide {run.gpus} GPUs"
    if run.fused == "triton" and not text.tied:
        yield "fused kernels of impl_backend triton fail under fsdp2 where the output layer is not the embedding"


def _ulysses(plan: Plan) -> Iterator[str]:
    run, text, parts = plan.run, plan.shape.text, plan.run.sequence_parallel
    if not run.remove_padding or "flash" not in run.attention:
        yield "ulysses_sequence_parallel_size above 1 needs use_remove_padding and attention of packed rows"
    if run.gpus % parts:
        yield f"ulysses_sequence_parallel_size {parts} does not divide {run.gpus} GPUs"
    if text.heads % parts:
        yield f"ulysses_sequence_parallel_size {parts} does not divide the model's {text.heads} attention heads"
    elif text.kv_heads % parts and parts % text.kv_heads:
        heads = text.kv_heads
        yield f"neither of ulysses_sequence_parallel_size {parts} and the model's {heads} KV heads divides the other"


def _lengths(plan: Plan) -> Iterator[str]:
    run, longest = plan.run, plan.prompts.longest.tokens
    if longest > run.prompt_length:
        yield f"the longest prompt has {longest:,} tokens and data.max_prompt_length is {run.prompt_length:,}"
    if plan.rollout.max_model_len < min(longest, run.prompt_length) + run.answer_length:
        yield (
            f"vLLM's longest request of {plan.rollout.max_model_len:,} tokens is shorter than the longest prompt with "
            f"an answer of {run.answer_length:,}"
        )


def _memory(plan: Plan) -> Iterator[str]:
    peak = plan.peak
    if peak.total > plan.gpu.memory:
        yield f"{_WHERE[peak.name]} a GPU needs {_gib(peak.total)}, {_largest_parts(peak.parts)}"


def _cache(plan: Plan) -> Iterator[str]:
    rollout = plan.rollout
    needed = rollout.max_model_len * rollout.token_bytes
    if rollout.cache <= 0:
        yield (
            f"vLLM's {_gib(rollout.budget)} leave no KV cache beside its weights of {_gib(rollout.weights)} and its "
            f"working memory of {_gib(rollout.working)}"
        )
    elif needed > rollout.cache:
        yield (
            f"vLLM's KV cache of {_gib(rollout.cache)} cannot hold one request of {rollout.max_model_len:,} tokens, "
            f"which takes {_gib(needed)}"
        )


def _host(plan: Plan) -> Iterator[str]:
    host, memory = plan.host, plan.node_memory
    if memory is None or host.most <= memory:
        return
    need, why = host.loading, "while the checkpoint is read"
    if host.lasting > memory:
        need, why = host.lasting, _largest_parts(host.parts)
    yield f"a node has {_gib(memory)} of its own memory and needs {_gib(need)}, {why}"


def _largest_parts(parts: Mapping[str, int]) -> str:
    largest = sorted(parts.items(), key=lambda part: -part[1])[:3]
    return "most of it for " + ", ".join(f"{name} {_gib(size)}" for name, size in largest if size)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
