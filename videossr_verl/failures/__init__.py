"""What a run survives: groups that are lost, processes that are killed, checkpoints that were not finished.

verl 0.9.1 has no hooks for these, so methods of its trainer and its rollout workers are wrapped, all of them here.
"""

from __future__ import annotations

from types import ModuleType

from videossr_verl.patching import after_import, replace_method


def install_in_verl() -> None:
    """Patches verl's modules as they are imported."""
    after_import("verl.experimental.agent_loop.agent_loop", _rollout_workers)
    after_import("verl.trainer.ppo.v1.trainer_base", _trainer)


def _rollout_workers(module: ModuleType) -> None:
    from videossr_verl.failures import lost_groups

    replace_method(module.AgentLoopWorker, "_run_agent_loop", lost_groups.reporting)


def _trainer(module: ModuleType) -> None:
    from videossr_verl.failures import checkpoints, dead_workers, lost_groups, resume

    trainer = module.PPOTrainer
    replace_method(trainer, "_init_dataloader", resume.looking)
    replace_method(trainer, "_save_checkpoint", checkpoints.whole)
    replace_method(trainer, "step", lost_groups.counting)
    replace_method(trainer, "fit", lambda stock: dead_workers.watching(lost_groups.explaining(stock)))
