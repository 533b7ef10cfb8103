"""Weights that are saved for later stay what they were; tests/e2e/test_grpo_recipe.py trains with them."""

import inspect

import pytest
import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from verl.utils import fsdp_utils
from verl.utils.fsdp_utils import fsdp2_sharded_load_from_cpu, fsdp2_sharded_save_to_cpu


@pytest.fixture
def model(tmp_path):
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield fully_shard(nn.Linear(3, 2), mesh=init_device_mesh("cpu", (1,)))
    distributed.destroy_process_group()


def weights(model):
    return [weight.to_local().detach().clone() for weight in model.parameters()]


@pytest.mark.parametrize("save", [fsdp2_sharded_save_to_cpu, fsdp2_sharded_save_to_cpu.stock], ids=["ours", "stock"])
def test_an_update_does_not_reach_what_was_saved(model, save):
    """Where "stock" fails, verl copies by itself: the repair may go."""
    before = weights(model)
    saved = save(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1)
    after = weights(model)
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    fsdp2_sharded_load_from_cpu(model, *saved)
    found = before if save is fsdp2_sharded_save_to_cpu else after
    assert all(torch.equal(a, b) for a, b in zip(weights(model), found, strict=True))


def test_separate_async_uses_it():
    from verl.experimental.separation.engine_workers import DetachActorWorker

    assert fsdp_utils.fsdp2_sharded_save_to_cpu is fsdp2_sharded_save_to_cpu
    assert "fsdp2_sharded_save_to_cpu" in inspect.getsource(DetachActorWorker._get_strategy_handlers)
