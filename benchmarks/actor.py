"""What an actor's update and the forward passes before it take on one GPU of a cluster: seconds and memory.

    python benchmarks/actor.py [--model qwen3_vl_8b] [--micro-batches 2] [HYDRA_OVERRIDE...]

verl's own worker with the config of recipes/grpo.sh, on random weights of the model's shape and answers to a prompt
with one long video. This process is one rank of the cluster, whose other ranks are not there (lone_rank.py): shards,
gathered layers, activations and kernels are those of a rank, and what is missing from the seconds is the network.
Each pass runs twice: each answer's row with its own prompt (stock verl), and the prompt once (`shared_prompts`). A
second table compares one layer's attention of both, and the second with exact attention. "plan" is what `grpo.sh
--plan` counts for the same parts, without CUDA's own memory and without vLLM.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lone_rank import join_cluster, make_worker, write_model
from long_video_rows import make_rows
from shared_attention import HEADER as ATTENTION_HEADER
from shared_attention import attention_lines
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.device import get_torch_device
from verl.workers.engine_workers import TrainingWorker

from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory import trainer
from videossr_verl.preflight.memory.activations import inference_activations
from videossr_verl.preflight.memory.gpus import GIB
from videossr_verl.preflight.memory.parameters import count_parameters
from videossr_verl.preflight.memory.prompts import Prompt
from videossr_verl.preflight.memory.run_settings import Run, compose_config, read_settings
from videossr_verl.preflight.memory.shapes import ModelShape, model_shape

HEADER = ("model", "pass", "prompt", "micro batch", "s each", "s a step", "GiB at peak", "plan", "GiB reserved")
SIDES = (False, True)  # of `shared_prompts`


@dataclass(frozen=True)
class Measured:
    """Seconds of a whole pass (mean of two), bytes of tensors at its worst moment, and of what torch reserved."""

    seconds: float
    allocated: int
    reserved: int


def measure(run: Callable[[TensorDict], Any], rows: TensorDict, micro: int, **settings: Any) -> Measured:
    """`run` on one micro batch to warm up, then twice on all rows."""
    device, seconds = get_torch_device(), []
    for number in (micro, len(rows), len(rows)):
        batch = tu.index_select_tensor_dict(rows, list(range(number)))
        tu.assign_non_tensor(batch, temperature=1.0, **settings)
        device.reset_peak_memory_stats()
        device.synchronize()
        start = time.perf_counter()
        run(batch)
        device.synchronize()
        seconds.append(time.perf_counter() - start)
    return Measured(statistics.mean(seconds[1:]), device.max_memory_allocated(), device.max_memory_reserved())


def passes(config: Any, rows: TensorDict, run: Run) -> Iterator[tuple[str, bool, Measured]]:
    """Measures the passes of one step, in their order: without shared prompts, and with them."""
    forward = {"compute_loss": False, "calculate_entropy": False}
    if run.reference:
        worker = make_worker(config, "ref")
        for shared in SIDES:
            share(worker.ref, shared)
            found = measure(worker.compute_ref_log_prob, rows, run.reference_log_prob.samples, **forward)
            yield "reference forward", shared, found
        del worker
        gc.collect()
        get_torch_device().empty_cache()
    actor = make_worker(config, "actor")
    forward["calculate_entropy"] = True
    for shared in SIDES:
        share(actor.actor, shared)
        yield "old log-probs", shared, measure(actor.compute_log_prob, rows, run.log_prob.samples, **forward)

    def update(batch: TensorDict) -> None:
        answers = run.gpus * len(batch)
        tu.assign_non_tensor(batch, mini_batch_size=answers, global_batch_size=answers)
        metrics = tu.get(actor.update_actor(batch), "metrics")
        if not torch.isfinite(torch.tensor(metrics["grad_norm"])).all():
            raise RuntimeError("verl left out the optimizer's step: the gradients are not finite")

    settings = {"epochs": 1, "seed": 1, "dataloader_kwargs": {"shuffle": False}}
    for shared in SIDES:
        share(actor.actor, shared)
        found = measure(update, rows, run.update.samples, calculate_entropy=run.entropy_in_update, **settings)
        yield "update", shared, found


def share(worker: TrainingWorker, shared: bool) -> None:
    """Turns `shared_prompts` on or off in a worker that is there, whose settings verl freezes."""
    object.__setattr__(worker.engine.engine_config, "shared_prompts", shared)


def planned(run: Run, shape: ModelShape, prompt: Prompt) -> dict[str, int]:
    """Bytes of the same passes by the plan."""
    counts = count_parameters(shape)
    state = trainer.on_gpu_in_update(trainer.trained_state(counts, run.actor, run.gpus), run.actor)
    load = trainer.load(run, run.reference_log_prob, prompt)
    reference = inference_activations(shape, counts, load, fused=run.fused is not None, entropy=0)
    whole = trainer.gathered(shape, counts, run.actor, training=False)
    return {
        "reference forward": whole + reference.peak,
        "old log-probs": state.weights + whole + trainer.log_probs_of(run, shape, counts, prompt).peak,
        "update": state.total
        + trainer.gathered(shape, counts, run.actor, training=True)
        + trainer.update_of(run, shape, counts, prompt).peak,
    }


def print_model(name: str, args: argparse.Namespace) -> list[str]:
    """Prints the lines of one base model. Returns those of its attention."""
    choices = [f"base_model={name}", f"dataset={args.dataset}", f"cluster={args.cluster}", *args.overrides]
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.model_folder
        if folder is None:
            path = compose_config(args.config_name, choices).actor_rollout_ref.model.path
            write_model(model_shape(path), Path(scratch))
            folder = scratch
        config = compose_config(args.config_name, [*choices, f"actor_rollout_ref.model.path={folder}"])
        run, shape = replace(read_settings(config), answer_length=args.answer_tokens), model_shape(folder)
        size = run.update.samples
        if None in (size, run.log_prob.samples, run.reference_log_prob.samples):
            raise BadInput("micro batches by tokens (use_dynamic_bsz) are not measured: leave them out")
        join_cluster(run.gpus)
        rows, prompt = make_rows(folder, args.prompt_tokens, args.answer_tokens, size * args.micro_batches)
        print(f"{name}: {prompt.tokens} tokens a prompt, {prompt.vision_tokens} of them video", file=sys.stderr)
        expected = [planned(replace(run, shares_prompts=shared), shape, prompt) for shared in SIDES]
        for kind, shared, found in passes(config.actor_rollout_ref, rows, run):
            each = found.seconds / args.micro_batches
            step = each * run.prompts * run.rollouts / run.gpus / size
            memory = [f"{n / GIB:.1f}" for n in (found.allocated, expected[shared][kind], found.reserved)]
            cells = [
                name,
                kind,
                "once" if shared else "each",
                f"{size} x {prompt.tokens + args.answer_tokens}",
                f"{each:.2f}",
                f"{step:.0f}",
            ]
            print(f"| {' | '.join([*cells, *memory])} |", flush=True)
        gc.collect()
        get_torch_device().empty_cache()
        return list(attention_lines(shape.text, prompt.tokens, args.answer_tokens, run.rollouts))


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="of train/config/base_model; may be given several times")
    parser.add_argument("--model-folder", help="config and processor are those of this folder; no weights are read")
    parser.add_argument("--config-name", default="videossr_grpo")
    parser.add_argument("--dataset", default="videossr")
    parser.add_argument("--cluster", default="1x8")
    parser.add_argument("--prompt-tokens", type=int, default=8192)
    parser.add_argument("--answer-tokens", type=int, default=2048)
    parser.add_argument("--micro-batches", type=int, default=2, help="in a measured pass")
    parser.add_argument("overrides", nargs="*", metavar="HYDRA_OVERRIDE")
    args = parser.parse_args()
    if min(args.answer_tokens, args.micro_batches) < 1:
        parser.error("--answer-tokens and --micro-batches must be at least 1")
    device = get_torch_device().get_device_name()
    print(f"{device}, torch {torch.__version__}, one rank of {args.cluster}\n\n| {' | '.join(HEADER)} |")
    print("|" + " --- |" * len(HEADER), flush=True)
    of_attention = []
    try:
        for name in args.model or ("qwen2_5_vl_7b", "qwen3_vl_8b"):
            of_attention += print_model(name, args)
    except BadInput as error:
        parser.error(str(error))
    print(f"\n| {' | '.join(ATTENTION_HEADER)} |\n|" + " --- |" * len(ATTENTION_HEADER))
    print(*of_attention, sep="\n")


if __name__ == "__main__":
    main()
