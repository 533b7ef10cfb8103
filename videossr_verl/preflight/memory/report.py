"""A plan as a table for people, and as a refusal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory.estimate import Plan
from videossr_verl.preflight.memory.gpus import GIB
from videossr_verl.preflight.memory.headroom import faster_settings
from videossr_verl.preflight.memory.remedies import find_remedy
from videossr_verl.preflight.memory.run_settings import MicroBatch
from videossr_verl.preflight.memory.trainer import shard_count
from videossr_verl.preflight.memory.verdict import notes, problems

_CAVEAT = """\
Weights, gradients, optimizer and cached tokens are exact; the rest are estimates. Of two models one rank of the trainer
was measured on an H200 and came within 7 % (recipes/README.md); vLLM was not. torch's allocator reserves up to a tenth
more than an update needs: leave a tenth free."""


def report(plan: Plan) -> str:
    """Returns the whole plan: model, prompts, each GPU phase by phase, vLLM, host memory, CPUs, notes."""
    parts = [_model(plan), _batch(plan), _phases(plan), _rollout(plan), _host(plan), *_network(plan)]
    said = "".join(f"\nnote: {note}" for note in (*notes(plan), *faster_settings(plan)))
    return "\n\n".join(parts) + f"\n\n{_CAVEAT}{said}\n"


def summary(plan: Plan) -> str:
    """Returns one line for a run with nothing wrong."""
    most, memory = plan.host.most, plan.node_memory
    on_gpu = f"it fits: at most {plan.peak.total / plan.gpu.memory:.0%} of each {plan.gpu.name}"
    if memory is None:
        return f"{on_gpu}, on nodes with more than {most / GIB:,.0f} GiB of memory"
    return f"{on_gpu} and {most / memory:.0%} of a node's memory"


def require_fit(plan: Plan) -> None:
    """Raises BadInput if a run does not fit: with the first reason, and what to change."""
    if wrong := problems(plan):
        remedy = find_remedy(plan)
        change = f"it fits with {remedy}" if remedy else "no setting known here makes it fit"
        raise BadInput(f"{plan.shape.name} cannot run on {machines(plan)}: {wrong[0]}; {change}")


def machines(plan: Plan) -> str:
    """Returns the nodes and GPUs that the run asks for."""
    run, more = plan.run, plan.run.answering
    trained_on = f"{run.nodes} x {run.gpus_per_node} {plan.gpu.name}"
    return f"{trained_on} and {more.nodes} x {more.gpus_per_node} that only answer" if more else trained_on


def _model(plan: Plan) -> str:
    run, parameters = plan.run, plan.parameters
    trained = f"{_billions(parameters.trained)} trained"
    if run.lora:
        trained += f" (LoRA of rank {run.lora.rank})"
    return (
        f"{plan.shape.name} on {machines(plan)} ({_gib(plan.gpu.memory)} GiB each)\n"
        f"parameters   {_billions(parameters.total)}: language {_billions(parameters.language)}, "
        f"vision {_billions(parameters.vision)}; {trained}"
    )


def _batch(plan: Plan) -> str:
    run, typical, longest = plan.run, plan.prompts.typical, plan.prompts.longest
    answers = run.prompts * run.rollouts
    how = "counted" if plan.prompts.counted else "estimated"
    most = answers * (typical.tokens + run.answer_length)
    once = ""
    if run.shares_prompts:
        passes = -(-run.rollouts // (run.update.samples or run.rollouts))
        computed = run.prompts * passes * typical.tokens + answers * run.answer_length
        once = f", {computed / 1e6:.2f} M of them computed"
    return (
        f"prompts      {plan.prompts.source}: {typical.tokens:,} tokens, {typical.vision_tokens:,} of them vision\n"
        f"             longest {longest.tokens:,} ({how}) of {run.prompt_length:,} allowed\n"
        f"a step       {run.prompts} prompts x {run.rollouts} answers of at most {run.answer_length:,}: "
        f"{most / 1e6:.2f} M tokens at most{once}\n"
        f"micro batch  update {_micro(run.update)}, log-probs {_micro(run.log_prob)}; worst case "
        f"{plan.longest_sample:,} tokens a sample, {'packed' if run.remove_padding else 'padded'}"
    )


def _phases(plan: Plan) -> str:
    """Returns a table with parts as rows, phases as columns, and GiB on one GPU."""
    parts = list(dict.fromkeys(name for phase in plan.phases for name in phase.parts))
    rows = [["GiB on a GPU", *(phase.name for phase in plan.phases)]]
    for part in parts:
        sizes = [phase.parts.get(part, 0) for phase in plan.phases]
        if any(sizes):
            rows.append([part, *(_gib(size) if size else "-" for size in sizes)])
    rows.append(["total", *(_gib(phase.total) for phase in plan.phases)])
    rows.append([f"of {_gib(plan.gpu.memory)}", *(f"{phase.total / plan.gpu.memory:.0%}" for phase in plan.phases)])
    return _table(rows)


def _rollout(plan: Plan) -> str:
    rollout, run = plan.rollout, plan.run
    whole = rollout.cache_tokens // plan.longest_sample
    typical = rollout.cache_tokens // (plan.prompts.typical.tokens + run.answer_length)
    return (
        f"vLLM         TP {run.rollout.tensor_parallel}, {_gib(rollout.budget)} GiB: weights {_gib(rollout.weights)}, "
        f"working {_gib(rollout.working)}, KV cache {_gib(rollout.cache)}\n"
        f"             {rollout.cache_tokens:,} tokens of {rollout.token_bytes / 1024:.0f} KiB: {whole:,} of the "
        f"longest samples at once, {typical:,} typical ones"
    )


def _host(plan: Plan) -> str:
    host = plan.host
    said = ", ".join(f"{name} {_gib(size)}" for name, size in host.parts.items() if size)
    has = f" of {_gib(plan.node_memory)}" if plan.node_memory else ""
    return (
        f"host memory  {_gib(host.lasting)} GiB{has} a node: {said}\n"
        f"             {_gib(host.loading)} GiB on one that reads the checkpoint\n"
        f"CPUs         at least {plan.run.cpus.of_a_node} a node: {plan.run.cpus}"
    )


def _network(plan: Plan) -> Iterator[str]:
    """Yields what crosses the network if any does."""
    network, run = plan.network, plan.run
    lines = []
    if network.total:
        said = ", ".join(f"{name} {_gib(size)}" for name, size in network.parts.items() if size)
        lines.append(f"{_gib(network.total)} GiB into each node in a step: {said}")
        lines.append(f"{shard_count(run.actor, run.gpus)} GPUs share a copy of the model")
    if network.sent:
        lines.append(f"{_gib(network.sent)} GiB of weights into each node that only answers")
    if lines:
        yield "network      " + "\n             ".join(lines)


def _micro(micro: MicroBatch) -> str:
    return f"{micro.samples} samples" if micro.samples is not None else f"{micro.tokens:,} tokens"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if cell is row[0] else cell.rjust(width) for cell, width in zip(row, widths, strict=True)
        )
        for row in rows
    )


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"


def _billions(count: int) -> str:
    return f"{count / 1e9:.2f} B" if count >= 1e7 else f"{count / 1e6:.2f} M"
