"""A run's plan: the parts of each GPU's memory, phase by phase."""

from __future__ import annotations

from dataclasses import dataclass

from videossr_verl.plan import trainer
from videossr_verl.plan.activations import Activations
from videossr_verl.plan.gpus import Gpu
from videossr_verl.plan.host import Host, plan_host
from videossr_verl.plan.parameters import Parameters, count_parameters
from videossr_verl.plan.prompts import Prompts
from videossr_verl.plan.rollout import ASLEEP, RolloutPlan, plan_rollout
from videossr_verl.plan.run_settings import Run
from videossr_verl.plan.shapes import ModelShape


@dataclass(frozen=True)
class Phase:
    """One phase of a step and what is on each GPU in it, bytes by part."""

    name: str
    parts: dict[str, int]

    @property
    def total(self) -> int:
        """All parts."""
        return sum(self.parts.values())

    @property
    def largest(self) -> str:
        """The part that takes the most."""
        return max(self.parts, key=self.parts.__getitem__)


@dataclass(frozen=True)
class Plan:
    """All figures of a run on a kind of GPU."""

    run: Run
    shape: ModelShape
    prompts: Prompts
    gpu: Gpu
    parameters: Parameters
    state: trainer.State
    phases: tuple[Phase, ...]
    rollout: RolloutPlan
    host: Host

    @property
    def peak(self) -> Phase:
        """The phase that needs the most."""
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def longest_sample(self) -> int:
        """Tokens of the longest prompt with the longest answer."""
        return self.prompts.longest.tokens + self.run.answer_length


def make_plan(run: Run, shape: ModelShape, prompts: Prompts, gpu: Gpu) -> Plan:
    """The plan of a run. Nothing is checked here; see `verdict`."""
    parameters = count_parameters(shape, run.lora, freezes_vision=run.freezes_vision)
    state = trainer.trained_state(parameters, run.actor, run.gpus)
    rollout = plan_rollout(shape, parameters, run.rollout, gpu)
    return Plan(
        run=run,
        shape=shape,
        prompts=prompts,
        gpu=gpu,
        parameters=parameters,
        state=state,
        phases=_phases(run, shape, prompts, parameters, state, rollout),
        rollout=rollout,
        host=plan_host(run, shape, parameters, prompts.longest),
    )


def _phases(
    run: Run, shape: ModelShape, prompts: Prompts, parameters: Parameters, state: trainer.State, vllm: RolloutPlan
) -> tuple[Phase, ...]:
    engine, longest = run.actor, prompts.longest
    idle, busy = trainer.on_gpu_while_idle(state, engine), trainer.on_gpu_in_update(state, engine)
    asleep = ASLEEP if run.rollout.frees_cache else vllm.budget
    overhead = {"CUDA, NCCL": trainer.TRAINER_OVERHEAD}
    while_idle = {"weights": idle.weights, "optimizer": idle.optimizer}
    fetched = {"weights": busy.weights, "optimizer": idle.optimizer}
    training = {"weights": busy.weights, "optimizer": busy.optimizer, "gradients": busy.gradients}
    log_probs = trainer.log_probs_of(run, shape, parameters, longest)
    update = trainer.update_of(run, shape, parameters, longest)
    largest = max(parameters.layer if shape.text.experts else 0, parameters.embedding) * engine.stored
    return (
        Phase("rollout", while_idle | overhead | {"vLLM": vllm.budget}),
        Phase(
            "log-probs",
            fetched
            | {"gathered": trainer.gathered(shape, parameters, engine, training=False)}
            | _at_peak(log_probs)
            | overhead
            | {"vLLM": asleep},
        ),
        Phase(
            "backward",
            training
            | {"gathered": trainer.gathered(shape, parameters, engine, training=True)}
            | _at_peak(update)
            | overhead
            | {"vLLM": asleep},
        ),
        Phase(
            "optimizer",
            training | {"Adam's step": trainer.optimizer_step_bytes(state, engine)} | overhead | {"vLLM": asleep},
        ),
        Phase(
            "sync",
            while_idle
            | overhead
            | {"gathered": largest, "bucket": run.rollout.bucket_bytes, "vLLM": asleep + vllm.weights},
        ),
    )


def _at_peak(activations: Activations) -> dict[str, int]:
    """A layer at work and the logits are never there together."""
    if activations.logits > activations.layer:
        return {"activations": activations.kept, "logits": activations.logits}
    return {"activations": activations.kept + activations.layer}
