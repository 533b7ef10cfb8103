"""What a run survives: groups that are lost, processes that are killed, checkpoints that were not finished.

And what it ends with one sentence for: rewards that fail, and checkpoints that it cannot go on from.

verl 0.9.1 has no hooks for these, so methods of its trainer and its rollout workers are wrapped, all of them here.
"""

from __future__ import annotations

from types import ModuleType

from videossr_verl.patches.hooks import after_import, replace_function, replace_method


def install_in_verl() -> None:
    """Patches verl's modules, and the command that Hydra makes of its trainer, as they are imported."""
    after_import("hydra", _command)
    after_import("verl.experimental.agent_loop.agent_loop", _rollout_workers)
    after_import("verl.experimental.reward_loop.reward_loop", _reward_workers)
    after_import("verl.trainer.ppo.v1.agent_loop_tq", _rollout_manager)
    after_import("verl.trainer.ppo.v1.replay_buffer", _replay_buffer)
    after_import("verl.trainer.ppo.v1.trainer_base", _trainer)


def _command(module: ModuleType) -> None:
    from videossr_verl.patches.survival import command_end

    replace_function(module, "main", command_end.wrap_hydra_main)


def _rollout_workers(module: ModuleType) -> None:
    from videossr_verl.patches.survival import group_deadline, lost_groups

    replace_method(
        module.AgentLoopWorker,
        "_run_agent_loop",
        lambda stock: lost_groups.reporting(group_deadline.wrap_run_agent_loop(stock)),
    )


def _rollout_manager(module: ModuleType) -> None:
    from videossr_verl.patches.survival import group_deadline

    replace_method(module.AgentLoopManagerTQ, "generate_sequences", group_deadline.wrap_generate_sequences)


def _reward_workers(module: ModuleType) -> None:
    from videossr_verl.patches.survival import reward_errors

    replace_method(module.RewardLoopWorker, "compute_score", reward_errors.wrap_compute_score)


def _replay_buffer(module: ModuleType) -> None:
    from videossr_verl.patches.survival import group_deadline, reward_errors

    replace_method(
        module.ReplayBuffer,
        "_sync_metadata_from_transfer_queue",
        lambda stock: reward_errors.wrap_sync_metadata(group_deadline.wrap_sync_metadata(stock)),
    )


def _trainer(module: ModuleType) -> None:
    from videossr_verl.patches.survival import checkpoints, dead_workers, lost_groups, one_training, resume
    from videossr_verl.train import unscored_rows

    trainer = module.PPOTrainer
    replace_method(trainer, "init", one_training.wrap_init)
    replace_method(trainer, "_init_dataloader", lambda stock: resume.looking(unscored_rows.wrap_init_dataloader(stock)))
    replace_method(trainer, "_save_checkpoint", checkpoints.whole)
    replace_method(trainer, "step", lost_groups.counting)
    replace_method(
        trainer, "fit", lambda stock: one_training.wrap_fit(dead_workers.watching(lost_groups.explaining(stock)))
    )
