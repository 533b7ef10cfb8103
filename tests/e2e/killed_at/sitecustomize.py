"""Sends a SIGKILL at a chosen place, once, in the second step. Python imports this at the start of each process of a
run.

KILL_AT, one of PLACES:
    rollout     the command's own process, while answers are on their way
    agent       the worker that prepares prompts and waits for answers
    engine      vLLM's engine below the rollout server, while it answers
    update      an FSDP rank, right after the optimizer's step
    trainer     the trainer's own process, while a rank is at that step; in the third step
KILL_FOLDER remembers the places that were done.
"""

import os
import signal
import sys
from pathlib import Path

STEP = 2
REQUEST = 5  # of those that a server answers


def _kill(place, *pids):
    try:
        os.close(os.open(Path(os.environ["KILL_FOLDER"], place), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _note(name):
    Path(os.environ["KILL_FOLDER"], name).write_text(str(os.getpid()))


def _noted(name):
    return int(Path(os.environ["KILL_FOLDER"], name).read_text())


def _before_rollouts(trainer_base, act):
    def wrap(stock):
        def on_sample_begin(self):
            act(self.global_steps)
            stock(self)

        return on_sample_begin

    replace_method(trainer_base.PPOTrainer, "on_sample_begin", wrap)


def _rollout(trainer_base):
    _before_rollouts(trainer_base, lambda step: step == STEP and _kill("rollout", _noted("driver")))


def _agent(agent_loop):
    def wrap(stock):
        async def run(self, *args, **kwargs):
            if kwargs["global_steps"] == STEP:
                _kill("agent", os.getpid())
            return await stock(self, *args, **kwargs)

        return run

    replace_method(agent_loop.SingleTurnAgentLoop, "run", wrap)


def _at_a_request(server_module, kill):
    def wrap(stock):
        async def generate(self, *args, **kwargs):
            self._requests = getattr(self, "_requests", 0) + 1
            if self._requests == REQUEST:
                kill()
            return await stock(self, *args, **kwargs)

        return generate

    replace_method(server_module.vLLMHttpServer, "generate", wrap)


def _engine(server_module):
    import psutil

    _at_a_request(
        server_module, lambda: _kill("engine", *(child.pid for child in psutil.Process().children(recursive=True)))
    )


def _after_an_update(transformer_impl, act):
    def wrap(stock):
        def optimizer_step(self):
            result = stock(self)
            act()
            return result

        return optimizer_step

    replace_method(transformer_impl.FSDPEngine, "optimizer_step", wrap)


def _update(transformer_impl):
    _after_an_update(transformer_impl, lambda: _kill("update", os.getpid()))


def _trainer(transformer_impl):
    updates = []

    def at_the_second():
        updates.append(1)
        if len(updates) == 2:
            _kill("trainer", _noted("trainer_process"))

    _after_an_update(transformer_impl, at_the_second)


def _note_the_trainer(trainer_base):
    _before_rollouts(trainer_base, lambda step: _note("trainer_process"))


def _impatient(dead_workers):
    dead_workers.GRACE = 5.0


TRAINER, RANK = "verl.trainer.ppo.v1.trainer_base", "verl.workers.engine.fsdp.transformer_impl"
SERVER = "verl.workers.rollout.vllm_rollout.vllm_async_server"
PLACES = {
    "rollout": {TRAINER: _rollout},
    "agent": {"verl.experimental.agent_loop.single_turn_agent_loop": _agent},
    "engine": {SERVER: _engine},
    "update": {RANK: _update},
    "trainer": {TRAINER: _note_the_trainer, RANK: _trainer},
}
if os.environ.get("KILL_AT"):
    from videossr_verl.patches.hooks import after_import, replace_method

    if "verl.trainer.main_ppo" in sys.orig_argv:
        _note("driver")
    after_import("videossr_verl.patches.survival.dead_workers", _impatient)
    for module, change in PLACES[os.environ["KILL_AT"]].items():
        after_import(module, change)
