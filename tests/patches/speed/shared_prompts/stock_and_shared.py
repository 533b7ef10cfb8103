"""Run by test_engine.py: verl's own worker on rows of several prompts, stock and with shared prompts.

    python stock_and_shared.py < RUNS     JSON: {name: [model folder, Hydra override...]}

Prints one line of JSON for each run and batch of rows: how far the two are apart, and the tokens that each computed.
The imports take longer than a run, so each run is a copy of the process that has done them.
"""

import json
import multiprocessing
import os
import socket
import sys

import numpy as np
import torch
import torch.distributed as dist
import verl  # noqa: F401  (loads the plugin)
from PIL import Image
from verl.utils import tensordict_utils as tu
from verl.workers.engine_workers import ActorRolloutRefWorker

from videossr_verl.preflight.memory.run_settings import compose_config
from videossr_verl.preflight.parity import TrainerSide
from videossr_verl.prompt.shared_media import SharedVideos
from videossr_verl.video.metadata import video_metadata

FRAMES, SIDE = 8, 56
# Of each group: how many videos and images its prompt has, and the tokens of its answers.
BATCHES = {
    "one answer": [(1, 0, (6,))],
    "two answers": [(1, 0, (3, 7))],
    "eight answers": [(1, 0, (5, 12, 1, 9, 7, 2, 4, 3))],
    "several videos": [(2, 0, (4, 6)), (3, 0, (2, 2))],
    "images too": [(1, 2, (4, 6, 3))],
    "mixed": [(1, 0, (5, 3)), (0, 0, (4, 8)), (1, 0, (6,)), (2, 0, (0, 7))],
}
SETTINGS = {"temperature": 0.9, "calculate_entropy": True}


def make_worker(model, overrides):
    """Returns verl's worker of an actor."""
    sizes = (
        "data.train_batch_size=8",
        "actor_rollout_ref.actor.ppo_mini_batch_size=8",
        "actor_rollout_ref.rollout.n=1",
    )
    of_actor = ("actor_rollout_ref.actor.use_dynamic_bsz=false", f"actor_rollout_ref.model.path={model}")
    config = compose_config("videossr_grpo_cpu", [*sizes, *of_actor, *overrides])
    worker = ActorRolloutRefWorker(config.actor_rollout_ref, "actor")
    worker.init_model()
    return worker.actor


def make_rows(side, groups):
    """Returns the rows of a batch, one group after the other but for the last row, which comes first."""
    rng, rows = np.random.default_rng(0), []
    for videos, images, answers in groups:
        frames = [
            torch.from_numpy(rng.integers(0, 255, (FRAMES, 3, SIDE, SIDE), dtype=np.uint8)) for _ in range(videos)
        ]
        shown = SharedVideos([(f, video_metadata([i / 2 for i in range(FRAMES)])) for f in frames]) if videos else []
        pictures = [Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)) for _ in range(images)]
        content = [{"type": "video"}] * videos + [{"type": "image"}] * images + [{"type": "text", "text": "order"}]
        prompt = side.ids([{"role": "user", "content": content}], shown, pictures)
        for length in answers:
            answer = rng.integers(20, 250, length).tolist()
            inputs, positions = side.inputs([*prompt, *answer], shown, pictures)
            rows.append((prompt, answer, inputs, positions[0]))
    return [rows[-1], *rows[:-1]]


def as_batch(rows):
    """Returns what verl's worker gets of these rows."""
    generator = torch.Generator().manual_seed(0)
    prompts, answers = ([torch.tensor(row[i], dtype=torch.long) for row in rows] for i in (0, 1))
    ones = [torch.ones_like(answer) for answer in answers]
    unsure = [torch.full(answer.shape, -7.0) for answer in answers]
    tensors = {
        "input_ids": [torch.cat(pair) for pair in zip(prompts, answers, strict=True)],
        "position_ids": [row[3] for row in rows],
        "prompts": prompts,
        "responses": answers,
        "response_mask": ones,
        "loss_mask": ones,
        "old_log_probs": unsure,
        "ref_log_prob": unsure,
        "advantages": [torch.randn(answer.shape, generator=generator) for answer in answers],
    }
    nested = {name: tu.nested_tensor_from_tensor_list(values) for name, values in tensors.items()}
    batch = tu.get_tensordict(nested | {"multi_modal_inputs": [row[2] for row in rows]}, {})
    tu.assign_non_tensor(batch, micro_batch_size_per_gpu=len(rows), **SETTINGS)
    return batch


def compute(actor, rows, shared):
    """Returns log-probs and entropies at the answers' tokens, gradients, and the tokens of the language model."""
    engine, seen = actor.engine, []
    object.__setattr__(engine.engine_config, "shared_prompts", shared)
    words = next(module for name, module in engine.module.named_modules() if name.endswith("language_model"))
    hook = words.register_forward_hook(
        lambda _m, _i, kwargs, _o: seen.append(kwargs["inputs_embeds"][..., 0].numel()), with_kwargs=True
    )
    batch = as_batch(rows)
    tu.assign_non_tensor(batch, compute_loss=False)
    found = actor.infer_batch(batch)
    hook.remove()
    values = []
    for name in ("log_probs", "entropy"):
        of_rows = found[name].unbind()
        values.append(
            torch.cat([x[len(p) - 1 : len(p) - 1 + len(a)] for x, (p, a, *_) in zip(of_rows, rows, strict=True)])
        )
    gradients = {}

    def instead_of_the_step():
        gradients.update(
            {n: p.grad.full_tensor().clone() for n, p in engine.module.named_parameters() if p.grad is not None}
        )
        return 0.0

    engine.optimizer_step = instead_of_the_step
    batch = as_batch(rows)
    tu.assign_non_tensor(batch, global_batch_size=len(rows), mini_batch_size=len(rows))
    actor.train_batch(batch)
    engine.optimizer_zero_grad()
    return *values, gradients, seen


def compare(run, model, *overrides):
    """Prints the comparisons of a run."""
    os.environ |= {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": free_port(),
    }
    dist.init_process_group("gloo")
    actor, side = make_worker(model, overrides), TrainerSide(model)
    for name, groups in BATCHES.items():
        rows = make_rows(side, groups)
        stock, ours = (compute(actor, rows, shared) for shared in (False, True))
        far = max(((stock[2][n] - ours[2][n]).norm() / stock[2][n].norm().clamp_min(1e-9)).item() for n in stock[2])
        line = {
            "run": run,
            "batch": name,
            "log_probs": (stock[0] - ours[0]).abs().max().item(),
            "entropy": (stock[1] - ours[1]).abs().max().item(),
            "gradients": far,
            "same gradients": stock[2].keys() == ours[2].keys() and len(stock[2]) > 0,
            "tokens": [stock[3], ours[3]],  # of each micro-batch
            "wanted": [sum(len(row[0]) + len(row[1]) for row in rows), once_for_each_group(rows)],
        }
        print(json.dumps(line), flush=True)


def once_for_each_group(rows):
    """Returns the tokens of all answers, and of each group's prompt: rows of a group have one list of it."""
    return sum(len(prompt) for prompt in {id(row[0]): row[0] for row in rows}.values()) + sum(
        len(row[1]) for row in rows
    )


def free_port():
    """Returns a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def main():
    """Makes the runs, one after the other."""
    for name, (model, *overrides) in json.load(sys.stdin).items():
        process = multiprocessing.get_context("fork").Process(target=compare, args=(name, model, *overrides))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
