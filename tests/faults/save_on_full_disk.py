"""Program for `small_disk`: verl's own checkpoint manager saves a tiny FSDP model, again and again, on a full disk.

    save_on_full_disk.py STEPS MODEL TRIES SEED

Prints a line of JSON for each try: what was left of the disk, what the save said, and whether the checkpoint before it
could be gone on from, and the next save was whole once there was room again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
from omegaconf import OmegaConf
from saving import trainer
from torch.distributed.fsdp import FullyShardedDataParallel
from transformers import AutoModelForImageTextToText, AutoProcessor
from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager

from videossr_verl.errors import MachineError
from videossr_verl.patches.survival import checkpoints, resume

BLOCK = 4096


def manager(model: str) -> FSDPCheckpointManager:
    """verl's, around a model that has made one step."""
    os.environ |= {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    wrapped = FullyShardedDataParallel(
        AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32), device_id=torch.device("cpu")
    )
    optimizer = torch.optim.AdamW(wrapped.parameters())
    for parameter in wrapped.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    contents = OmegaConf.create({"save_contents": ["model", "optimizer", "extra", "hf_model"]})
    return FSDPCheckpointManager(wrapped, optimizer, schedule, AutoProcessor.from_pretrained(model), contents)


def resumed(steps: Path) -> str:
    """Name of the checkpoint that a run would go on from; all of it can be read."""
    config = trainer(steps, 0, keep=1).config.trainer
    folder = resume.checkpoint_to_resume(config)
    resume.check_whole(folder, config)
    for file in folder.rglob("*.pt"):
        torch.load(file, weights_only=False)
    return folder.name


def main() -> None:
    """Command line."""
    steps, model, tries, seed = Path(sys.argv[1], "steps"), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    saver, chosen, filler = manager(model), random.Random(seed), steps.parent / "filler"

    def stock(self: SimpleNamespace) -> None:
        folder = Path(self.config.trainer.default_local_dir, f"global_step_{self.global_steps}")
        saver.save_checkpoint(str(folder / "actor"), global_step=self.global_steps)
        torch.save({"position": self.global_steps}, folder / "data.pt")

    save = checkpoints.wrap_save_checkpoint(stock)
    with patch.object(checkpoints, "on_each_node", lambda function, *arguments: function(*arguments)):
        save(trainer(steps, 1, keep=1))
        size = sum(file.stat().st_size for file in steps.rglob("*"))
        for step in range(2, tries + 2):
            left = chosen.randrange(0, int(size * 0.98) // BLOCK) * BLOCK
            with open(filler, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(steps).free - left)
            said, before = "saved", f"global_step_{step - 1}"
            try:
                save(trainer(steps, step, keep=1))
            except MachineError as error:
                said = str(error)
            stays = resumed(steps) == before and said != "saved"
            filler.unlink()
            save(trainer(steps, step, keep=1))
            what = f"{left / 2**20:.1f} MiB left for {size / 2**20:.1f}: {said}"
            print(json.dumps([what, stays and resumed(steps) == f"global_step_{step}"]), flush=True)


if __name__ == "__main__":
    main()
