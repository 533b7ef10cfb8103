"""Python imports this at the start of each process of a run: a SIGKILL at a chosen place of the second step, once.

KILL_AT: rollout (the command's own process, while answers are on their way), update (an FSDP rank, right after the
optimizer's step), checkpoint (an FSDP rank, with half of the optimizer's file written), publish (the trainer, the
checkpoint being in its place and the marker not yet changed). KILL_FOLDER: remembers the places that were done.
"""

import os
import signal
import sys
from pathlib import Path

STEP = 2


def _kill(place, pid):
    try:
        os.close(os.open(Path(os.environ["KILL_FOLDER"], place), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(pid, signal.SIGKILL)


def _rollout(trainer_base):
    def wrap(stock):
        def on_sample_begin(self):
            if self.global_steps == STEP:
                _kill("rollout", int(Path(os.environ["KILL_FOLDER"], "driver").read_text()))
            stock(self)

        return on_sample_begin

    replace_method(trainer_base.PPOTrainer, "on_sample_begin", wrap)


def _update(transformer_impl):
    def wrap(stock):
        def optimizer_step(self):
            result = stock(self)
            _kill("update", os.getpid())
            return result

        return optimizer_step

    replace_method(transformer_impl.FSDPEngine, "optimizer_step", wrap)


def _checkpoint(manager):
    save = manager.torch.save

    def half(state, path, *args, **kwargs):
        save(state, path, *args, **kwargs)
        if "optim" in str(path) and f"global_step_{STEP}" in str(path):
            os.truncate(path, os.path.getsize(path) // 2)
            _kill("checkpoint", os.getpid())

    manager.torch.save = half


def _publish(checkpoints):
    write = checkpoints.write_marker

    def write_marker(steps, step):
        if step == STEP:
            _kill("publish", os.getpid())
        write(steps, step)

    checkpoints.write_marker = write_marker


PLACES = {
    "rollout": ("verl.trainer.ppo.v1.trainer_base", _rollout),
    "update": ("verl.workers.engine.fsdp.transformer_impl", _update),
    "checkpoint": ("verl.utils.checkpoint.fsdp_checkpoint_manager", _checkpoint),
    "publish": ("videossr_verl.failures.checkpoints", _publish),
}
if os.environ.get("KILL_AT"):
    from videossr_verl.patching import after_import, replace_method

    if "verl.trainer.main_ppo" in sys.orig_argv:
        Path(os.environ["KILL_FOLDER"], "driver").write_text(str(os.getpid()))
    after_import(*PLACES[os.environ["KILL_AT"]])
