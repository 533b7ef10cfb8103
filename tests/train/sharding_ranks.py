"""Run by test_sharding.py, starts four ranks, two "nodes" of two: a tiny model as verl's engine shards it, over all
ranks and then inside a node, trained and saved. Rank 0 prints one line of JSON for each.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import torch
import torch.distributed as dist
from omegaconf import OmegaConf
from torch.distributed.fsdp import MixedPrecisionPolicy
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForImageTextToText, AutoProcessor
from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager
from verl.utils.fsdp_utils import (
    apply_fsdp2,
    fsdp2_clip_grad_norm_,
    fsdp2_load_full_state_dict,
    get_fsdp_full_state_dict,
)
from verl.utils.torch_functional import get_constant_schedule_with_warmup
from verl.workers.engine.fsdp.utils import create_device_mesh

MODEL = "recipes/tiny/qwen2_5_vl"
RANKS, GPUS_PER_NODE, MICRO_BATCHES = 4, 2, 3
GRID = (1, 4, 4)


class Collectives(TorchDispatchMode):
    """Counts the bytes of whole tensors that are gathered or reduced: {collective and ranks in its group: bytes}."""

    def __init__(self):
        super().__init__()
        self.bytes = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func.name().partition(".")[0]
        if name in ("c10d::_allgather_base_", "c10d::_reduce_scatter_base_"):
            small, large = sorted(args[:2], key=torch.numel)
            kind = "gather" if "gather" in name else "reduce"
            self.bytes[f"{kind} {large.numel() // small.numel()}"] += large.nbytes
        elif name == "_c10d_functional::all_gather_into_tensor":
            self.bytes[f"export {args[1]}"] += result.nbytes
        elif name == "c10d::allreduce_":
            self.bytes["all-reduce"] += sum(tensor.nbytes for tensor in args[0])
        return result


def make_engine(fsdp_size, learning_rate):
    """Returns a model as `FSDPEngine` makes it, its optimizer, and what saves both."""
    model = AutoModelForImageTextToText.from_pretrained(MODEL, dtype=torch.float32)
    if dist.get_rank():  # weights come from rank 0
        torch.nn.init.normal_(model.get_input_embeddings().weight)
    mesh, whole = create_device_mesh(dist.get_world_size(), fsdp_size), model.state_dict()
    policy = MixedPrecisionPolicy(param_dtype=torch.float32, reduce_dtype=torch.float32, cast_forward_inputs=True)
    settings = {"mesh": mesh, "mp_policy": policy, "offload_policy": None, "reshard_after_forward": True}
    apply_fsdp2(model, settings, {})
    fsdp2_load_full_state_dict(model, whole, mesh, None)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    contents = ["model", "optimizer", "extra"]
    manager = FSDPCheckpointManager(
        model=model,
        optimizer=optimizer,
        lr_scheduler=get_constant_schedule_with_warmup(optimizer, 0),
        processing_class=AutoProcessor.from_pretrained(MODEL),
        checkpoint_config=OmegaConf.create({"save_contents": [*contents, "hf_model"], "load_contents": contents}),
    )
    return model, optimizer, manager


def micro_batches(model, step):
    """Yields prompts with a video each, others on each rank."""
    video = model.config.video_token_id
    for number in range(MICRO_BATCHES):
        generator = torch.Generator().manual_seed(1000 * step + 10 * number + dist.get_rank())
        ids = torch.randint(20, 200, (2, 24), generator=generator)
        ids[:, 3:7] = video
        pixels = torch.randn(2 * 16, 3 * 2 * 14 * 14, generator=generator)
        yield {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "position_ids": torch.arange(24).expand(3, 2, -1),
            "pixel_values_videos": pixels,
            "video_grid_thw": torch.tensor([GRID] * 2),
            "use_cache": False,
        }


def step(model, optimizer, number):
    """Takes log-probs, and makes an update. Returns the norm of its gradient."""
    with torch.no_grad():
        for rows in micro_batches(model, number):
            model(**rows)
    for rows in micro_batches(model, number):
        logits = model(**rows).logits
        torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), rows["input_ids"][:, 1:].flatten()).backward()
    norm = fsdp2_clip_grad_norm_(model.parameters(), max_norm=0.5)
    optimizer.step()
    optimizer.zero_grad()
    return norm


def exported(model):
    """Returns all weights as vLLM gets them."""
    return {name: weight.full_tensor() for name, weight in model.state_dict().items()}


def train(fsdp_size, folder):
    """Makes an update, saves, and makes another one, at once and from the checkpoint. Returns what it saw, the weights,
    and the checkpoint's manager.
    """
    model, optimizer, manager = make_engine(fsdp_size, 1e-3)
    with Collectives() as collectives:
        norms = [step(model, optimizer, 1)]
        first = exported(model)
    manager.save_checkpoint(str(folder), global_step=1)
    norms.append(step(model, optimizer, 2))
    again, its_optimizer, its_manager = make_engine(fsdp_size, 1.0)
    its_manager.load_checkpoint(str(folder))
    for name, weight in exported(again).items():
        torch.testing.assert_close(weight, first[name], rtol=0, atol=0)
    norms.append(step(again, its_optimizer, 2))
    weights, resumed = exported(model), exported(again)
    whole = get_fsdp_full_state_dict(model, offload_to_cpu=True, rank0_only=True)
    for name, weight in weights.items():
        torch.testing.assert_close(resumed[name], weight, rtol=0, atol=0)
        if dist.get_rank() == 0:
            torch.testing.assert_close(whole[name], weight, rtol=0, atol=0)
    seen = {"norms": [norm.full_tensor().item() for norm in norms], "bytes": collectives.bytes}
    seen["held"] = sum(weight.to_local().numel() for weight in model.parameters())
    return seen, weights, its_manager


def main(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=RANKS)
    trained = []
    for name, fsdp_size in (("over_all", -1), ("in_a_node", GPUS_PER_NODE)):
        seen, weights, manager = train(fsdp_size, folder / name)
        trained.append(weights)
        if dist.get_rank() == 0:
            print(json.dumps(seen), flush=True)
    for name, weight in trained[0].items():
        torch.testing.assert_close(trained[1][name], weight, atol=1e-5, rtol=1e-4)
    try:
        manager.load_checkpoint(str(folder / "over_all"))
    except RuntimeError:
        print("\nREFUSED", flush=True)
    dist.destroy_process_group()


# Forked, so that verl is imported once.
torch.multiprocessing.start_processes(main, (Path(sys.argv[1]),), RANKS, start_method="fork")
