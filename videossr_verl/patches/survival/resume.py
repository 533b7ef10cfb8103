"""Looks at the checkpoint that a run would go on from, before anything is started. verl begins anew, in silence, if it
is gone.

verl also begins anew if the data loader's state is missing. If the number of GPUs has changed, it fails late and
unclearly.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from videossr_verl.errors import BadInput
from videossr_verl.patches.survival.changed_settings import settings_of, tell_changes
from videossr_verl.patches.survival.checkpoints import MARKER, put_back
from videossr_verl.patches.survival.fingerprint import read_fingerprint


def wrap_init_dataloader(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes the trainer look at the checkpoint that it will go on from before it starts its workers."""

    def _init_dataloader(self: Any) -> None:
        stock(self)
        # Reads the settings now, because verl changes some of them while it starts. Each checkpoint gets these.
        self._videossr_settings = settings_of(self.config)
        folder = checkpoint_to_resume(self.config.trainer)
        if folder is not None:
            check_whole(folder, self.config.trainer)
            check_same_data(folder, self.train_dataset, self.config.data)
            tell_changes(folder, self._videossr_settings)

    return _init_dataloader


def checkpoint_to_resume(trainer: DictConfig) -> Path | None:
    """Returns the folder that verl will load, or None for a run from the start. Raises BadInput if the config names one
    that is missing.
    """
    put_back(Path(trainer.default_local_dir))
    if trainer.resume_mode == "resume_path":
        folder = Path(trainer.resume_from_path)
        if not folder.is_dir():
            raise BadInput(f"trainer.resume_from_path='{folder}' is not a folder on node {platform.node()}")
        return folder
    marker = Path(trainer.default_local_dir) / MARKER
    if trainer.resume_mode == "disable" or not marker.is_file():
        return None
    step = marker.read_text().strip()
    folder = marker.parent / f"global_step_{step}"
    if not step.isdigit() or not folder.is_dir():
        raise BadInput(
            f"'{marker}' names step '{step}', whose folder is not there on node {platform.node()}: put it back (nodes"
            " need a disk that they share), write an earlier step into the file, or set trainer.resume_mode=disable"
        )
    return folder


def check_whole(folder: Path, trainer: DictConfig) -> None:
    """Raises BadInput for a checkpoint that is not whole, or that another number of GPUs wrote."""
    if not (folder / "data.pt").is_file():
        raise BadInput(
            f"'{folder}' does not say where in the data the run was (no data.pt): resume from another checkpoint, or"
            " set trainer.resume_mode=disable"
        )
    wrote = folder / "actor" / "fsdp_config.json"
    if wrote.is_file():  # the file is on the disk of rank 0
        then, now = json.loads(wrote.read_text())["world_size"], trainer.nnodes * trainer.n_gpus_per_node
        if then != now:
            raise BadInput(
                f"'{folder}' was written by {then} GPUs and this run has {now}: resume on {then}, or start a new run"
                " from the weights (actor_rollout_ref.model.path, trainer.default_local_dir)"
            )


def check_same_data(folder: Path, dataset: Any, data: DictConfig) -> None:
    """Raises BadInput where the checkpoint was trained on other rows, unless `data.resume_with_changed_data` is set."""
    then = read_fingerprint(folder)
    if then is None or not hasattr(dataset, "fingerprint") or data.get("resume_with_changed_data"):
        return
    now = dataset.fingerprint()
    if then != now:
        raise BadInput(
            f"the training data changed since '{folder}': its fingerprint was {then} and is {now}; put the old files"
            " back, train in another trainer.default_local_dir, or set data.resume_with_changed_data=true"
        )
