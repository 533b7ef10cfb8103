"""Settings that changed since a checkpoint are told, and what is told of them is what verl and torch do."""

from itertools import chain

import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.trainer.ppo.utils import create_rl_sampler
from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager
from verl.utils.torch_functional import get_constant_schedule_with_warmup

from videossr_verl.errors import BadInput
from videossr_verl.patches.survival.changed_settings import (
    NOW,
    describe_changes,
    settings_of,
    tell_changes,
    write_settings,
)
from videossr_verl.preflight.memory.run_settings import compose_config

LR, LOADED = "actor_rollout_ref.actor.optim.lr", "actor_rollout_ref.actor.checkpoint.load_contents"


@pytest.fixture(scope="module")
def settings():
    """(*overrides) -> the run's."""
    return lambda *overrides: settings_of(compose_config("videossr_grpo_cpu", overrides))


def test_each_change_is_one_line_with_old_new_and_effect(settings, tmp_path, caplog):
    write_settings(settings(f"{LR}=1e-5"), tmp_path)
    changes = [f"{LR}=1e-3", "actor_rollout_ref.rollout.n=4", "data.train_batch_size=8", "data.seed=7"]
    tell_changes(tmp_path, settings(*changes, "trainer.project_name=new", "trainer.default_local_dir=/elsewhere"))
    lines = [record.getMessage().removeprefix("resuming with another ") for record in caplog.records]
    names = {line.split(": ")[0].split(", ")[-1]: line for line in lines}
    assert len(lines) == 4
    assert (
        f"{LR}: 1e-05 -> 0.001 has no effect: the checkpoint's optimizer keeps the old one; {LOADED}=[model,optimizer]"
        in names[LR]
    )
    assert f"data.train_batch_size: 64 -> 8 {NOW}" in names["data.train_batch_size"]
    assert "data.seed: 1 -> 7 has no effect on the order of the rows" in names["data.seed"]
    (group,) = (line for line in lines if "actor_rollout_ref.rollout.n" in line)
    assert group.endswith(f"data.adaptive.group_size: 8 -> 4 {NOW}")


def test_nothing_is_told_of_equal_settings_and_of_older_checkpoints(settings, tmp_path, caplog):
    tell_changes(tmp_path, settings())
    write_settings(settings(), tmp_path)
    tell_changes(tmp_path, settings())
    assert caplog.records == []


@pytest.mark.parametrize("change", ["data.shuffle=false", "data.dataloader_num_workers=2"])
def test_what_a_checkpoint_cannot_be_loaded_with_is_refused(settings, tmp_path, change):
    write_settings(settings(), tmp_path)
    with pytest.raises(BadInput, match=rf"{change.split('=')[0]} was .* and is .*: .* set it back"):
        tell_changes(tmp_path, settings(change))


def test_a_checkpoint_of_other_shards_is_refused(settings):
    """tests/train/test_sharding.py shows that torch refuses it, late."""
    size, nodes = "actor_rollout_ref.actor.fsdp_config.fsdp_size", ("trainer.nnodes=2", "trainer.n_gpus_per_node=8")
    over_all, in_a_node, same = (settings(*nodes, f"{size}={gpus}") for gpus in (-1, 8, 16))
    with pytest.raises(BadInput, match=f"{size} was -1 and is 8: .* a copy on 16 GPUs, not on 8; set it back"):
        describe_changes(over_all, in_a_node)
    (line,) = describe_changes(over_all, same)
    assert line.endswith(f"{size}: -1 -> 16 {NOW}")


leaves = st.dictionaries(st.sampled_from("abcd"), st.integers() | st.none() | st.text(max_size=2))


@given(leaves, leaves)
def test_a_line_for_each_change_and_for_nothing_else(then, now):
    lines = describe_changes(then, now)
    names = {name for line in lines for name in line.removeprefix("resuming with another ").split(": ")[0].split(", ")}
    assert names == {name for name in {*then, *now} if then.get(name) != now.get(name)}


@pytest.fixture
def one_process(tmp_path):
    """torch.distributed with this process alone, which verl's checkpoint manager asks for."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def trained(lr, decay, warmup, contents, steps, folder=None):
    """An optimizer with verl's schedule after `steps` updates, from the checkpoint in `folder` if there is one."""
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=decay)
    schedule = get_constant_schedule_with_warmup(optimizer, warmup)
    if folder is not None:
        how = OmegaConf.create({"load_contents": contents, "save_contents": contents})
        manager = FSDPCheckpointManager(model, optimizer, schedule, processing_class=object(), checkpoint_config=how)
        manager.load_checkpoint(str(folder))
    for _ in range(steps):
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        schedule.step()
    return model, optimizer, schedule


@pytest.mark.parametrize(
    "contents", [["model", "optimizer", "extra"], ["model", "extra"], ["model", "optimizer"], ["model"]]
)
def test_what_is_told_of_the_optimizer_is_what_it_does(settings, one_process, tmp_path, contents):
    """Learning rate, weight decay and warm-up, through verl's own loading and its own schedule."""
    model, optimizer, schedule = trained(1e-5, 0.1, 0, contents, 3)
    parts = {"model": model.state_dict(), "optim": optimizer.state_dict()}
    parts["extra_state"] = {"lr_scheduler": schedule.state_dict()}
    for name, part in parts.items():
        torch.save(part, tmp_path / f"{name}_world_size_1_rank_0.pt")
    _, optimizer, _ = trained(1e-3, 0.2, 0, contents, 1, tmp_path)  # so these are of the second update
    (group,) = optimizer.param_groups
    prefix, listed = "actor_rollout_ref.actor.optim", f"{LOADED}=[{','.join(contents)}]"
    then = settings(f"{prefix}.lr=1e-5", f"{prefix}.weight_decay=0.1", listed)
    now = settings(f"{prefix}.lr=1e-3", f"{prefix}.weight_decay=0.2", f"{prefix}.lr_warmup_steps=100", listed)
    effects = {
        line.removeprefix(f"resuming with another {prefix}.").split(": ")[0]: line
        for line in describe_changes(then, now)
    }
    assert ("has no effect" in effects["lr"]) == (group["lr"] == 1e-5)
    assert (f"0.001 {NOW}" in effects["lr"]) == (group["lr"] == 1e-3)
    assert ("has no effect" in effects["weight_decay"]) == (group["weight_decay"] == 0.1)
    assert effects["lr_warmup_steps"].endswith(NOW)
    _, warming, _ = trained(1e-5, 0.1, 100, contents, 1, tmp_path)
    assert warming.param_groups[0]["lr"] < 1e-5


def loader(batch=4, seed=1, shuffle=True, workers=0):
    sampler = create_rl_sampler(OmegaConf.create({"shuffle": shuffle, "seed": seed}), range(24))
    return StatefulDataLoader(range(24), batch, sampler=sampler, collate_fn=list, num_workers=workers)


def test_what_is_told_of_the_data_loader_is_what_it_does():
    first = loader()
    batches = iter(first)
    seen = [row for _ in range(2) for row in next(batches)]
    state = first.state_dict()
    left = [row for batch in batches for row in batch]

    def resumed(**changes):
        second = loader(**changes)
        second.load_state_dict(state)
        return list(second)

    assert list(chain.from_iterable(resumed(seed=2))) == left
    assert list(chain.from_iterable(resumed(batch=8))) == left
    assert [len(batch) for batch in resumed(batch=8)] == [8, 8]
    assert sorted(seen + left) == list(range(24))
    for change in ({"shuffle": False}, {"workers": 1}):
        with pytest.raises(AssertionError):
            resumed(**change)
