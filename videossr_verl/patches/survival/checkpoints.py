"""verl 0.9.1 writes a checkpoint into the folder that a resumed run reads.

A run that is killed while it writes leaves half a folder under the final name. A run that is killed in the last moment
leaves an empty marker, or a marker that names weights which the rotation has deleted. Here a checkpoint is written
below `.partial`, flushed to disk, and moved to its name on every node. Only then the marker changes, in one step.

If there is no room for it, or the disk fails, the run ends with one sentence, and what was whole stays.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict

from videossr_verl.cluster.nodes import on_each_node
from videossr_verl.errors import MachineError, machine_failure
from videossr_verl.patches.survival.causes import cause, original
from videossr_verl.patches.survival.changed_settings import write_settings
from videossr_verl.patches.survival.fingerprint import write_fingerprint

PARTIAL = ".partial"
REPLACED = "replaced_"
MARKER = "latest_checkpointed_iteration.txt"  # verl's name
# What PyTorch and safetensors say if they cannot write; PyTorch's errors name no reason.
NOT_WRITTEN = re.compile(
    r"iostream error|PytorchStreamWriter failed|file write failed|unexpected pos \d+ vs|No space left|Disk quota"
    r"|Read-only file system|Input/output error"
)
KEEP_ALL = {"max_actor_ckpt_to_keep": None, "max_critic_ckpt_to_keep": None, "remove_previous_ckpt_in_save": False}
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # from linux/fcntl.h and linux/fs.h


def wrap_save_checkpoint(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes the trainer's `_save_checkpoint` write a checkpoint that appears whole or not at all."""
    # Here, because the nodes' tasks import this module, and verl takes seconds.
    from verl.trainer.ppo.checkpoint_callback import CheckpointCallback

    def _save_checkpoint(self: Any) -> None:
        trainer = self.config.trainer
        if self.config.actor_rollout_ref.actor.get("checkpoint", {}).get("async_save", False):
            stock(self)  # Megatron still writes when this returns
            return
        steps, name = Path(trainer.default_local_dir), f"global_step_{self.global_steps}"
        callback = self.checkpoint_callback
        with _whole_disk(steps, name):
            # Where nodes share the disk, the first one does it, and the others find it done.
            on_each_node(_clear, steps)
            # The folder that users are told of must be the final one; verl would also delete older ones too early.
            self.checkpoint_callback = CheckpointCallback()
            try:
                with _changed(trainer, default_local_dir=str(steps / PARTIAL), **KEEP_ALL):
                    stock(self)
            finally:
                self.checkpoint_callback = callback
            write_fingerprint(self.train_dataset, steps / PARTIAL / name)
            write_settings(self._videossr_settings, steps / PARTIAL / name)
            on_each_node(publish, steps, name)
            write_marker(steps, self.global_steps)
            on_each_node(remove_older, steps, self.global_steps, _keep(trainer))
        callback.on_save(
            trainer=self, global_step=self.global_steps, checkpoint_dir=str(steps / name), async_save=False
        )

    return _save_checkpoint


@contextmanager
def _whole_disk(steps: Path, name: str) -> Iterator[None]:
    """Makes a MachineError of what the disk failed at, in any process, and gives the half checkpoint's room back."""
    try:
        yield
    except Exception as error:
        if not _disk_failed(original(error)):
            raise
        on_each_node(_clear, steps)
        free = shutil.disk_usage(steps).free
        raise MachineError(
            f"{name} could not be written to '{steps}' ({cause(error)}; {free / 2**30:.1f} GiB are free without it):"
            " make room or mend the disk, and the same command goes on from the checkpoint before"
        ) from error


def _disk_failed(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return machine_failure(error) is not None
    return NOT_WRITTEN.search(str(error)) is not None


@contextmanager
def _changed(config: DictConfig, **values: Any) -> Iterator[None]:
    before = {key: config.get(key) for key in values}
    with open_dict(config):
        config.update(values)
    try:
        yield
    finally:
        with open_dict(config):
            config.update(before)


def _keep(trainer: DictConfig) -> int | None:
    """Returns how many checkpoints stay, or None for all."""
    if trainer.get("remove_previous_ckpt_in_save", False):
        return 1
    return trainer.get("max_actor_ckpt_to_keep") or None


def _clear(steps: Path) -> None:
    shutil.rmtree(steps / PARTIAL, ignore_errors=True)


def publish(steps: Path, name: str) -> None:
    """Gives the checkpoint on this node's disk its final name, in one step. Does nothing if there is none."""
    partial, final = steps / PARTIAL / name, steps / name
    if not partial.is_dir():
        return
    for path in (*partial.rglob("*"), partial):
        _flush(path)
    if not final.exists():
        partial.rename(final)
    elif not _exchange(partial, final):  # a run that went on from an earlier step left one
        final.rename(steps / PARTIAL / f"{REPLACED}{name}")
        partial.rename(final)
    _flush(steps)
    _clear(steps)


def _exchange(one: Path, other: Path) -> bool:
    """Swaps the names of two folders in one step. Returns False on a disk that cannot (NFS)."""
    names = AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other)
    return ctypes.CDLL(None).renameat2(*names, RENAME_EXCHANGE) == 0


def put_back(steps: Path) -> None:
    """Brings back what `publish` was about to replace when it was killed, on a disk that cannot swap names."""
    for replaced in (steps / PARTIAL).glob(f"{REPLACED}*"):
        final = steps / replaced.name.removeprefix(REPLACED)
        if not final.exists():
            replaced.rename(final)


def write_marker(steps: Path, step: int) -> None:
    """Names the checkpoint to resume from, so that a reader finds the old number or the new one, never none."""
    new = steps / f".{MARKER}"
    new.write_text(str(step))
    _flush(new)
    new.replace(steps / MARKER)
    _flush(steps)


def remove_older(steps: Path, step: int, keep: int | None) -> None:
    """Deletes this disk's checkpoints of steps below `step`, except the newest `keep - 1`."""
    names = [path.name.removeprefix("global_step_") for path in steps.glob("global_step_*") if path.is_dir()]
    # A folder that somebody put there, global_step_100_best, stays.
    older = sorted(int(name) for name in names if name.isdecimal() and int(name) < step)
    if keep is None or not older:
        return
    (steps / PARTIAL).mkdir(exist_ok=True)
    for number in older[: max(0, len(older) - keep + 1)]:
        gone = steps / PARTIAL / f"global_step_{number}"
        with suppress(FileNotFoundError):  # another node on the same disk was first
            (steps / f"global_step_{number}").rename(gone)
    _clear(steps)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
