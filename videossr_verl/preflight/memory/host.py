"""Host memory of one node: what waits there for the GPUs, and the pixels in flight."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from videossr_verl.errors import BadInput
from videossr_verl.families.shape import ModelShape
from videossr_verl.preflight.memory.gpus import GIB
from videossr_verl.preflight.memory.parameters import Parameters
from videossr_verl.preflight.memory.prompts import Prompt
from videossr_verl.preflight.memory.run_settings import Run
from videossr_verl.preflight.memory.trainer import shard_count, trained_state

# Times a prompt's decoded bytes: memory of the process that prepares it while it is answered (benchmarks/README.md).
_PREPARING = 6
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Host:
    """Bytes on each node that trains.

    Attributes:
        actor: weights, gradients and optimizer that wait for the GPU. reference: the reference policy's weights.
        saved: the actor's weights of other versions, for old log-probs (separate_async).
        sleeping: vLLM's weights while it sleeps, which only a run with an adapter keeps.
        media: of all prompts in flight: frames in Ray's object store, patches in TransferQueue, and what making them
        takes. loading: everything on a node while it reads the actor's checkpoint, after the reference's.
    """

    actor: int
    reference: int
    saved: int
    sleeping: int
    media: int
    loading: int

    @property
    def parts(self) -> dict[str, int]:
        """What is there in a step, by names for people."""
        return {
            "actor": self.actor,
            "reference": self.reference,
            "weights of old log-probs": self.saved,
            "sleeping vLLM": self.sleeping,
            "pixels in flight": self.media,
        }

    @property
    def lasting(self) -> int:
        """All that is there in a step."""
        return sum(self.parts.values())

    @property
    def most(self) -> int:
        """The most at any time."""
        return max(self.lasting, self.loading)


def plan_host(run: Run, shape: ModelShape, parameters: Parameters, prompt: Prompt) -> Host:
    """Returns the host memory of a node, without Ray, Python, page cache and `data.frame_cache`."""
    engine, state = run.actor, trained_state(parameters, run.actor, run.gpus)
    always = engine.always_offloaded
    actor = state.weights if always or engine.param_offload else 0
    actor += state.optimizer if always or engine.optimizer_offload else 0
    actor += state.gradients if always else 0
    reference = 0
    if run.reference:
        reference = -(-parameters.total // shard_count(run.reference, run.gpus)) * run.reference.stored
    base = parameters.total - parameters.adapter
    asleep = run.lora and run.rollout.frees_cache and run.trainers_answer
    sleeping = base * run.rollout.dtype_bytes // run.rollout.tensor_parallel if asleep else 0
    in_flight = prompt.frame_bytes * (1 + _PREPARING) + prompt.patch_bytes
    # The first rank of each copy reads the checkpoint; each of them where embeddings are tied.
    readers = run.gpus_per_node if shape.text.tied else max(1, run.gpus_per_node // shard_count(engine, run.gpus))
    return Host(
        actor=actor * run.gpus_per_node,
        reference=reference * run.gpus_per_node,
        saved=run.saved_weights * state.weights * run.gpus_per_node,
        sleeping=sleeping * run.gpus_per_node,
        media=math.ceil((1 + run.batches_ahead) * run.prompts * in_flight / run.nodes),
        loading=((state.weights if always else 0) + reference) * run.gpus_per_node + readers * base * engine.stored,
    )


def node_memory(asked: str | None, *, here: bool) -> int | None:
    """Returns the bytes of a node: `asked` in GiB, else this machine's if the run is for it (`here`), else None.

    Raises:
        BadInput: `asked` is no number of GiB above 0.
    """
    if asked is None:
        return _this_machines() if here else None
    try:
        size = float(asked)
    except ValueError:
        size = 0
    if not 0 < size < float("inf"):
        raise BadInput(f"--host-memory is '{asked}', must be a node's memory in GiB")
    return int(size * GIB)


def _this_machines() -> int:
    """Returns the bytes of memory of this machine, or of its container if that has less."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(memory, int(_CONTAINER.read_text(encoding="ascii")))
    except (OSError, ValueError):  # "max" means no limit
        return memory
