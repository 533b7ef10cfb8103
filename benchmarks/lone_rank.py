"""verl's FSDP worker as one rank of a cluster that is not there, with random weights of a model's shape.

The group is torch's fake one: a gather gives copies of this rank's shard, a reduction its own part, at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
import verl  # noqa: F401  (loads the plugin)
from torch.distributed.tensor import DTensor
from torch.testing._internal.distributed.fake_pg import FakeStore
from transformers import AutoConfig, GenerationConfig
from verl.utils.device import get_device_id
from verl.utils.model import get_hf_auto_model_class
from verl.workers.engine.fsdp import transformer_impl
from verl.workers.engine_workers import ActorRolloutRefWorker

from videossr_verl.families import model_types
from videossr_verl.preflight.memory.hf_config import hf_config
from videossr_verl.preflight.memory.shapes import ModelShape
from videossr_verl.tiny.tokenizer import train_tokenizer

RANK = 1  # rank 0 would build the whole model, to send it to the others


def join_cluster(gpus: int) -> None:
    """As one of so many ranks; the first call counts."""
    if not dist.is_initialized():
        os.environ |= {"RANK": str(RANK), "WORLD_SIZE": str(gpus), "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
        dist.init_process_group("fake", rank=RANK, world_size=gpus, store=FakeStore())


def write_model(shape: ModelShape, folder: Path) -> None:
    """Config, processor and a small tokenizer of a model; no weights."""
    tokenizer = train_tokenizer(["order <1.5 seconds> 0123456789"] * 4, 512)
    tokens = {"image": "<|image_pad|>", "video": "<|video_pad|>"}
    tokens |= {"vision_start": "<|vision_start|>", "vision_end": "<|vision_end|>"}
    ids = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(token) for name, token in tokens.items()}
    hf_config(shape, ids).save_pretrained(folder)
    model_types()[shape.model_type].tiny_processor(tokenizer).save_pretrained(folder)
    GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id).save_pretrained(folder)


def make_worker(config: Any, role: str) -> ActorRolloutRefWorker:
    """The worker that verl makes of `actor_rollout_ref` for "actor" or "ref"; no checkpoint is read."""
    buffers: dict[str, torch.Tensor] = {}

    def from_nothing(cls: Any, *_: Any, config: Any, **__: Any) -> torch.nn.Module:
        model = cls.from_config(config)
        buffers.update({name: buffer.clone() for name, buffer in model.named_buffers()})
        return model

    def load_nothing(model: torch.nn.Module, _state: Any, _mesh: Any, cpu_offload: Any) -> None:
        model.to_empty(device=get_device_id())
        if cpu_offload is not None:  # as verl does
            model.to("cpu")
            for buffer in model.buffers():
                buffer.data = buffer.data.to(get_device_id())

    hub_class = get_hf_auto_model_class(AutoConfig.from_pretrained(config.model.path))
    with (
        patch.object(hub_class, "from_pretrained", classmethod(from_nothing)),
        patch.object(transformer_impl, "fsdp2_load_full_state_dict", load_nothing),
    ):
        worker = ActorRolloutRefWorker(config, role)
        worker.init_model()
    _fill(getattr(worker, role).engine.module, buffers)
    return worker


@torch.no_grad()
def _fill(module: torch.nn.Module, buffers: dict[str, torch.Tensor]) -> None:
    for name, parameter in module.named_parameters():
        shard = parameter.to_local() if isinstance(parameter, DTensor) else parameter
        if parameter.dim() > 1:
            shard.normal_(0, 0.02)
        else:
            shard.fill_(0 if name.endswith("bias") else 1)
    for name, buffer in module.named_buffers():
        buffer.copy_(buffers[name])
