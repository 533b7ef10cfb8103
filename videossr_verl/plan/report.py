"""A plan as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from videossr_verl.plan.estimate import Plan
from videossr_verl.plan.gpus import GIB
from videossr_verl.plan.run_settings import MicroBatch
from videossr_verl.plan.verdict import notes

_CAVEAT = """\
Weights, gradients, optimizer, cached tokens and pixels are exact. Activations, gathered layers, CUDA and vLLM's working
memory are estimates from the shapes, never compared with a GPU: leave a tenth of it free."""


def report(plan: Plan) -> str:
    """The whole plan: model, prompts, each GPU phase by phase, vLLM, host memory, notes."""
    parts = [_model(plan), _batch(plan), _phases(plan), _rollout(plan), _host(plan)]
    said = "".join(f"\nnote: {note}" for note in notes(plan))
    return "\n\n".join(parts) + f"\n\n{_CAVEAT}{said}\n"


def _model(plan: Plan) -> str:
    run, parameters = plan.run, plan.parameters
    trained = f"{_billions(parameters.trained)} trained"
    if run.lora:
        trained += f" (LoRA of rank {run.lora.rank})"
    nodes = f"{run.nodes} x {run.gpus_per_node}"
    return (
        f"{plan.shape.name} on {nodes} {plan.gpu.name} ({_gib(plan.gpu.memory)} GiB each)\n"
        f"parameters   {_billions(parameters.total)}: language {_billions(parameters.language)}, "
        f"vision {_billions(parameters.vision)}; {trained}"
    )


def _batch(plan: Plan) -> str:
    run, typical, longest = plan.run, plan.prompts.typical, plan.prompts.longest
    answers = run.prompts * run.rollouts
    how = "counted" if plan.prompts.counted else "estimated"
    return (
        f"prompts      {plan.prompts.source}: {typical.tokens:,} tokens, {typical.vision_tokens:,} of them vision\n"
        f"             longest {longest.tokens:,} ({how}) of {run.prompt_length:,} allowed\n"
        f"a step       {run.prompts} prompts x {run.rollouts} answers of at most {run.answer_length:,}: "
        f"{answers * (typical.tokens + run.answer_length) / 1e6:.2f} M tokens at most\n"
        f"micro batch  update {_micro(run.update)}, log-probs {_micro(run.log_prob)}; worst case "
        f"{plan.longest_sample:,} tokens a sample, {'packed' if run.remove_padding else 'padded'}"
    )


def _phases(plan: Plan) -> str:
    """Rows are parts, columns phases, GiB on one GPU."""
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
    parts = {
        "actor": host.actor,
        "reference": host.reference,
        "weights of old log-probs": host.saved,
        "sleeping vLLM": host.sleeping,
        "pixels of a step": host.media,
    }
    said = ", ".join(f"{name} {_gib(size)}" for name, size in parts.items() if size)
    return f"host memory  {_gib(host.lasting)} GiB a node: {said}; while loading {_gib(host.loading)} more on the first"


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
