"""What a run's metrics say about a machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videossr_verl.families.shape import ModelShape
from videossr_verl.preflight.memory.estimate import Plan
from videossr_verl.preflight.memory.parameters import count_parameters
from videossr_verl.preflight.memory.prompts import Prompt

PHASES = {
    "gen": "answers",
    "old_log_prob": "old log-probs",
    "ref": "reference",
    "update_actor": "update",
    "update_weights": "weights to vLLM",
}
# In bf16 an H100 showed means of up to 0.003 (recipes/README.md).
MOST_GAP = 0.01
PAPERS_STEPS, PAPERS_GPUS = 468, 8
_NOT_THE_TRAINERS = ("vLLM", "CUDA, NCCL")


@dataclass(frozen=True)
class Gap:
    """How far vLLM's probabilities of the sampled tokens are from the trainer's."""

    largest: float
    mean: float

    @property
    def small(self) -> bool:
        """Whether both hold the same model and saw the same prompts."""
        return self.mean <= MOST_GAP


def read_gap(steps: Mapping[int, Mapping[str, Any]]) -> Gap:
    """Returns the largest gap of all steps."""
    largest, mean = (
        max(values[f"training/rollout_probs_diff_{kind}"] for values in steps.values()) for kind in ("max", "mean")
    )
    return Gap(largest, mean)


def read_seconds(values: Mapping[str, Any]) -> dict[str, float]:
    """Returns the seconds of a step's phases, and of the whole as `step`."""
    found = {name: values.get(f"timing_s/{key}") for key, name in PHASES.items()}
    return {name: value for name, value in found.items() if value is not None} | {"step": values["timing_s/step"]}


def trainers_share(plan: Plan) -> int:
    """Returns the bytes that the plan has for the trainer's tensors on a GPU, in the phase that needs the most."""
    return max(
        sum(size for part, size in phase.parts.items() if part not in _NOT_THE_TRAINERS) for phase in plan.phases
    )


def hours_of_papers_run(seconds: Mapping[str, float], tried: ModelShape, whole: ModelShape, prompt: Prompt) -> float:
    """Returns about how long `videossr_8b.sh` takes on eight GPUs like these, if its answers are as long as here.

    A GPU has as many answers a step there. The time of each phase grows with the model's arithmetic; what a step does
    beside its phases stays. The network between GPUs, validation and checkpoints are left out.
    """
    ratio = _arithmetic(whole, prompt) / _arithmetic(tried, prompt)
    phases = sum(value for name, value in seconds.items() if name != "step")
    return PAPERS_STEPS * (phases * ratio + max(0.0, seconds["step"] - phases)) / 3600


def _arithmetic(shape: ModelShape, prompt: Prompt) -> float:
    """Returns multiplications of a prompt, without attention's own."""
    parameters = count_parameters(shape)
    words = shape.text.layers * parameters.layer + parameters.embedding
    return words * prompt.tokens + parameters.vision * prompt.patches
