"""What the package's saving and resuming ask of verl's trainer, without the trainer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from omegaconf import OmegaConf


class Rows:
    """What a checkpoint asks of the training data."""

    def fingerprint(self) -> str:
        return "0" * 16

    def __len__(self) -> int:
        return 24


def trainer(steps: Path, step: int, keep: int) -> SimpleNamespace:
    """One that is at `step`, saves into `steps`, and keeps the last `keep`."""
    run = {
        "default_local_dir": str(steps),
        "max_actor_ckpt_to_keep": keep,
        "max_critic_ckpt_to_keep": keep,
        "resume_mode": "auto",
        "nnodes": 1,
        "n_gpus_per_node": 1,
    }
    return SimpleNamespace(
        config=OmegaConf.create({"trainer": run, "actor_rollout_ref": {"actor": {"checkpoint": {}}}}),
        checkpoint_callback=SimpleNamespace(on_save=lambda **_: None),
        train_dataset=Rows(),
        global_steps=step,
        _videossr_settings={},
    )
