"""A run's plan: the parts of each GPU's memory, phase by phase."""

from __future__ import annotations

from dataclasses import dataclass

from videossr_verl.families.shape import ModelShape
from videossr_verl.preflight.memory import trainer
from videossr_verl.preflight.memory.activations import Activations
from videossr_verl.preflight.memory.gpus import Gpu
from videossr_verl.preflight.memory.host import Host, plan_host
from videossr_verl.preflight.memory.network import Network, plan_network
from videossr_verl.preflight.memory.parameters import Parameters, count_parameters
from videossr_verl.preflight.memory.prompts import Prompts
from videossr_verl.preflight.memory.rollout import ASLEEP, RolloutPlan, plan_rollout
from videossr_verl.preflight.memory.run_settings import Run


@dataclass(frozen=True)
class Phase:
    """One phase of a step, and the bytes on each GPU in it, by part."""

    name: str
    parts: dict[str, int]

    @property
    def total(self) -> int:
        """All parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Plan:
    """All figures of a run on one kind of GPU. `node_memory` is the host memory of a node in bytes, None if unknown."""

    run: Run
    shape: ModelShape
    prompts: Prompts
    gpu: Gpu
    node_memory: int | None
    parameters: Parameters
    state: trainer.State
    phases: tuple[Phase, ...]
    rollout: RolloutPlan
    host: Host
    network: Network

    @property
    def peak(self) -> Phase:
        """The phase that needs the most."""
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def longest_sample(self) -> int:
        """Tokens of the longest prompt with the longest answer."""
        return self.prompts.longest.tokens + self.run.answer_length


def make_plan(run: Run, shape: ModelShape, prompts: Prompts, gpu: Gpu, node_memory: int | None = None) -> Plan:
    """Returns the plan of a run, and checks nothing; see `verdict`."""
    parameters = count_parameters(shape, run.lora, freezes_vision=run.freezes_vision)
    state = trainer.trained_state(parameters, run.actor, run.gpus)
    rollout = plan_rollout(shape, parameters, run.rollout, gpu)
    return Plan(
        run=run,
        shape=shape,
        prompts=prompts,
        gpu=gpu,
        node_memory=node_memory,
        parameters=parameters,
        state=state,
        phases=_phases(run, shape, prompts, parameters, state, rollout),
        rollout=rollout,
        host=plan_host(run, shape, parameters, prompts.longest),
        network=plan_network(run, shape, parameters, prompts.typical),
    )


def _phases(
    run: Run, shape: ModelShape, prompts: Prompts, parameters: Parameters, state: trainer.State, vllm: RolloutPlan
) -> tuple[Phase, ...]:
    """Returns the phases of a step on a GPU that trains. Where other GPUs answer, their phase comes last."""
    engine, longest = run.actor, prompts.longest
    idle, busy = trainer.on_gpu_while_idle(state, engine), trainer.on_gpu_in_update(state, engine)
    overhead, awake = {"CUDA, NCCL": trainer.TRAINER_OVERHEAD}, {"vLLM": vllm.budget}
    asleep = {"vLLM": ASLEEP if run.rollout.frees_cache else vllm.budget} if run.trainers_answer else {}
    while_idle = {"weights": idle.weights, "optimizer": idle.optimizer} | overhead
    fetched = {"weights": busy.weights, "optimizer": idle.optimizer}
    training = {"weights": busy.weights, "optimizer": busy.optimizer, "gradients": busy.gradients}
    log_probs = {"gathered": trainer.gathered(shape, parameters, engine, training=False)}
    log_probs |= _at_peak(trainer.log_probs_of(run, shape, parameters, longest))
    update = {"gathered": trainer.gathered(shape, parameters, engine, training=True)}
    update |= _at_peak(trainer.update_of(run, shape, parameters, longest))
    adam = {"Adam's step": trainer.optimizer_step_bytes(state, engine)}
    phases = [
        Phase("log-probs", fetched | log_probs | overhead | asleep),
        Phase("backward", training | update | overhead | asleep),
        Phase("optimizer", training | adam | overhead | asleep),
        Phase("sync", while_idle | _exchanged(run, shape, parameters, vllm, asleep.get("vLLM", 0))),
    ]
    if run.trainers_answer:
        phases.insert(0, Phase("validation" if run.answering else "rollout", while_idle | awake))
    if run.answering:
        phases.append(Phase("answering", overhead | awake))
    return tuple(phases)


def _exchanged(run: Run, shape: ModelShape, parameters: Parameters, vllm: RolloutPlan, asleep: int) -> dict[str, int]:
    """Returns the memory of vLLM's new weights on a GPU that trains: its own engine's, or else those sent over the
    network.
    """
    largest = max(parameters.layer if shape.text.experts else 0, parameters.embedding) * run.actor.stored
    bucket = run.rollout.bucket_bytes
    if run.trainers_answer:
        return {"gathered": largest, "bucket": bucket, "vLLM": asleep + vllm.weights}
    # One is sent while the other is filled.
    return {"gathered": largest, "bucket": 2 * bucket}


def _at_peak(activations: Activations) -> dict[str, int]:
    """Returns the kept activations with the larger of two, a layer at work or the logits, which are never there
    together.
    """
    if activations.logits > activations.layer:
        return {"activations": activations.kept, "logits": activations.logits}
    return {"activations": activations.kept + activations.layer}
