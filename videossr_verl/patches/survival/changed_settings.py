"""Tells what becomes of settings that were others when the checkpoint was saved from which a run goes on.

verl 0.9.1 says nothing: some of them take effect at once, and some never do, because what the checkpoint holds
(the optimizer's state, the data loader's) holds them too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from videossr_verl.errors import BadInput

logger = logging.getLogger(__name__)

FILE = "settings.json"  # in each checkpoint
CHANGED = "resuming with another "  # begins each line
NOW = "takes effect now"
# Changes that nobody needs to hear of: where a run writes, its name, what verl derives from other settings, and how it
# is resumed.
NEVER_MATTER = (
    "actor_rollout_ref.actor.optim.total_training_steps",
    "actor_rollout_ref.rollout.prometheus",
    "actor_rollout_ref.rollout.trace",
    "critic.optim.total_training_steps",
    "data.adaptive.log",
    "data.resume_with_changed_data",
    "data.train_files",
    "global_profiler",
    "ray_kwargs",
    "skip",
    "trainer.default_",
    "trainer.experiment_name",
    "trainer.logger",
    "trainer.project_name",
    "trainer.resume_",
    "trainer.rollout_data_dir",
    "trainer.validation_data_dir",
    "transfer_queue",
)
# Settings that the checkpoint's optimizer or schedule ("extra") brings back, and what to load for the new ones.
NEW_SCHEDULE = "[model,optimizer] takes the new one from the second update on, its schedule from the beginning"
NEW_OPTIMIZER = "[model] begins a new optimizer"
IN_OPTIMIZER = {
    "lr": ("extra", NEW_SCHEDULE),
    "weight_decay": ("optimizer", NEW_OPTIMIZER),
    "betas": ("optimizer", NEW_OPTIMIZER),
    "override_optimizer_config": ("optimizer", NEW_OPTIMIZER),
}
SHARDS = "actor_rollout_ref.actor.fsdp_config.fsdp_size"  # torch refuses files of other shards, late
IN_LOADER = ("data.shuffle", "data.dataloader_num_workers")  # a state of another kind of loader does not load
EFFECTS = {
    "data.seed": "has no effect on the order of the rows: the checkpoint's loader goes on in its own",
    "data.train_batch_size": f"{NOW}, and epochs are counted in steps of the new size",
    "trainer.total_epochs": f"{NOW}, also in a schedule of the learning rate",
    "trainer.total_training_steps": f"{NOW}, also in a schedule of the learning rate",
    "actor_rollout_ref.model.path": (
        f"{NOW} for the reference policy, tokenizer and processor; the trained weights are the checkpoint's"
    ),
}


def settings_of(config: DictConfig) -> dict[str, Any]:
    """Returns all settings of a run as {dotted name: value}, as they come back from JSON. A list is one value."""
    whole = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))  # as its stubs do not say
    return json.loads(json.dumps(dict(_leaves(whole)), default=str))


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def write_settings(settings: Mapping[str, Any], folder: Path) -> None:
    """Puts `settings_of` a run into its checkpoint."""
    (folder / FILE).write_text(json.dumps(settings, indent=1) + "\n")


def tell_changes(folder: Path, now: Mapping[str, Any]) -> None:
    """Logs one line for each setting that is not as in the checkpoint: old, new, and what becomes of it.

    Raises:
        BadInput: a setting that the checkpoint cannot be loaded with.
    """
    file = folder / FILE
    then = json.loads(file.read_text()) if file.is_file() else now
    for line in describe_changes(then, now):
        logger.warning(line)


def describe_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns the lines of `tell_changes`. Settings with the same change, which verl copies from one to another, share
    a line.
    """
    if _shards(then) != _shards(now):
        raise BadInput(
            f"{SHARDS} was {then.get(SHARDS)} and is {now.get(SHARDS)}: each file of the checkpoint is one GPU's share"
            f" of a copy on {_shards(then)} GPUs, not on {_shards(now)}; set it back"
        )
    lines: dict[str, list[str]] = {}
    for name in sorted(then.keys() | now.keys()):
        old, new = then.get(name), now.get(name)
        if old == new or name.startswith(NEVER_MATTER) or ".profiler." in name:
            continue
        if name in IN_LOADER:
            raise BadInput(f"{name} was {old} and is {new}: the checkpoint's data loader cannot go on so, set it back")
        lines.setdefault(f"{old} -> {new} {_effect(name, now)}", []).append(name)
    return [f"{CHANGED}{', '.join(names)}: {change}" for change, names in lines.items()]


def _shards(settings: Mapping[str, Any]) -> int:
    """Returns the number of GPUs that share one copy of the model."""
    gpus = settings.get("trainer.nnodes", 1) * settings.get("trainer.n_gpus_per_node", 1)
    size = settings.get(SHARDS, -1)
    return size if 0 < size < gpus else gpus


def _effect(name: str, now: Mapping[str, Any]) -> str:
    owner, _, setting = name.partition(".optim.")
    part, remedy = IN_OPTIMIZER.get(setting.split(".")[0], (None, None))
    load = f"{owner}.checkpoint.load_contents"
    if part and part in (now.get(load) or ()):
        return f"has no effect: the checkpoint's optimizer keeps the old one; {load}={remedy}"
    return EFFECTS.get(name, NOW)
