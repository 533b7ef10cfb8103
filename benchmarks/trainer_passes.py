"""Run by step.py, once for each family: verl's own worker on a group's rows, stock and with `shared_prompts`.

Prints one line of JSON for each pass: what stock verl took, and what ours took.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
import verl  # noqa: F401  (loads the plugin)
from activations import peak_activations
from long_video_rows import make_rows
from scaled_model import scaled, write_scaled_model
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.workers.engine_workers import ActorRolloutRefWorker, TrainingWorker

from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory.run_settings import compose_config
from videossr_verl.preflight.memory.shapes import model_shape

RELEASED = {"qwen2_5_vl": "Qwen/Qwen2.5-VL-7B-Instruct", "qwen3_vl": "Qwen/Qwen3-VL-8B-Instruct"}
FRAMES = 12  # of the paper's 48: a frame's text does not scale
SIDES = (False, True)  # of `shared_prompts`
FEWEST_ROUNDS, ENOUGH_SECONDS = 2, 20.0


def make_workers(folder: str, rollouts: int) -> tuple[TrainingWorker, TrainingWorker]:
    """verl's workers of the reference and of the actor, as the recipes set them up on a CPU."""
    sizes = (f"data.train_batch_size={rollouts}", f"actor_rollout_ref.actor.ppo_mini_batch_size={rollouts}")
    model = (f"actor_rollout_ref.model.path={folder}", "actor_rollout_ref.model.enable_gradient_checkpointing=true")
    config = compose_config("videossr_grpo_cpu", [*sizes, *model]).actor_rollout_ref
    workers = [ActorRolloutRefWorker(config, role) for role in ("ref", "actor")]
    for worker in workers:
        worker.init_model()
    return workers[0].ref, workers[1].actor


def make_passes(reference: TrainingWorker, actor: TrainingWorker) -> dict[str, tuple[TrainingWorker, Callable]]:
    """The passes of a step, in their order. The optimizer's step is left out: it costs the same on both sides."""

    def infer(worker: TrainingWorker, entropy: bool) -> Callable[[TensorDict], Any]:
        def run(batch: TensorDict) -> Any:
            tu.assign_non_tensor(batch, compute_loss=False, calculate_entropy=entropy)
            return worker.infer_batch(batch)

        return run

    def update(batch: TensorDict) -> None:
        tu.assign_non_tensor(batch, global_batch_size=len(batch), mini_batch_size=len(batch), calculate_entropy=False)
        tu.assign_non_tensor(batch, epochs=1, seed=1, dataloader_kwargs={"shuffle": False})
        with patch.object(actor.engine, "optimizer_step", return_value=0.0):
            actor.train_mini_batch(batch)
        actor.engine.optimizer_zero_grad()

    return {
        "reference": (reference, infer(reference, False)),
        "old log-probs": (actor, infer(actor, True)),
        "update": (actor, update),
    }


def seconds_of(run: Callable[[TensorDict], Any], rows: TensorDict) -> float:
    """CPU seconds of one pass, all rows in one micro-batch."""
    batch = tu.index_select_tensor_dict(rows, list(range(len(rows))))
    tu.assign_non_tensor(batch, temperature=1.0, micro_batch_size_per_gpu=len(rows))
    start = time.process_time()
    run(batch)
    return time.process_time() - start


@contextmanager
def counted_tokens(model: torch.nn.Module) -> Iterator[list[int]]:
    """Yields a list that gets the tokens of each call of the language model."""
    found: list[int] = []
    words = next(module for name, module in model.named_modules() if name.endswith("language_model"))
    hook = words.register_forward_hook(
        lambda _module, _args, given, _output: found.append(given["inputs_embeds"][..., 0].numel()), with_kwargs=True
    )
    yield found
    hook.remove()


def compare(worker: TrainingWorker, run: Callable, rows: TensorDict, rounds: int) -> dict[str, Any]:
    """Both sides in turn, first with their memory followed, which warms them up too, then on the clock."""
    model: Any = worker.engine.module
    seconds_of(run, tu.index_select_tensor_dict(rows, [0]))
    tokens, sizes = [], []
    for shared in SIDES:
        _share(worker, shared)
        with counted_tokens(model) as counts:
            sizes.append(peak_activations(model, partial(seconds_of, run, rows)))
        tokens.append(sum(counts))
    spent: list[list[float]] = []
    while len(spent) < rounds and (len(spent) < FEWEST_ROUNDS or sum(map(sum, spent)) < ENOUGH_SECONDS):
        spent.append([])
        for shared in SIDES:
            _share(worker, shared)
            spent[-1].append(seconds_of(run, rows))
    return {"tokens": tokens, "bytes": sizes, "seconds": [median(side) for side in zip(*spent, strict=True)]}


def _share(worker: TrainingWorker, shared: bool) -> None:
    object.__setattr__(worker.engine.engine_config, "shared_prompts", shared)  # verl freezes it


def main() -> None:
    """Prints the lines of one family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=RELEASED)
    for name in ("--scale", "--layers", "--rounds"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--lengths", nargs="+", required=True, help="PROMPTxANSWER/SCALE")
    parser.add_argument("--rollouts", type=int, nargs="+", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        write_scaled_model(scaled(model_shape(RELEASED[args.family]), args.scale, args.layers), Path(scratch))
        os.environ |= dict.fromkeys(("RANK", "LOCAL_RANK"), "0") | {"WORLD_SIZE": "1"}
        os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
        dist.init_process_group("gloo", init_method=f"file://{scratch}/rendezvous", rank=0, world_size=1)
        passes = make_passes(*make_workers(scratch, max(args.rollouts)))
        for lengths in args.lengths:
            prompt, answer, scale = map(int, lengths.replace("/", "x").split("x"))
            for rollouts in args.rollouts:
                try:
                    rows, _ = make_rows(scratch, prompt // scale, answer // scale, rollouts, FRAMES)
                except BadInput as error:
                    parser.error(f"{lengths}: {error}")
                for name, (worker, run) in passes.items():
                    line = {"family": args.family, "lengths": lengths, "rollouts": rollouts, "pass": name}
                    print(json.dumps(line | compare(worker, run, rows, args.rounds)), flush=True)
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
