"""Host memory of one node: what waits there for the GPUs, and the pixels of a step."""

from __future__ import annotations

from dataclasses import dataclass

from videossr_verl.plan.parameters import Parameters
from videossr_verl.plan.prompts import Prompt
from videossr_verl.plan.run_settings import Run
from videossr_verl.plan.shapes import ModelShape
from videossr_verl.plan.trainer import shard_count, trained_state

# Of a prompt's decoded bytes, in the process that prepares it while it is answered: measured, benchmarks/README.md.
_PREPARING = 6


@dataclass(frozen=True)
class Host:
    """Bytes on each node.

    Attributes:
        actor: weights, gradients and optimizer that wait for the GPU. reference: the reference policy's weights.
        saved: the actor's weights of other versions, for old log-probs (separate_async).
        sleeping: vLLM's weights while it sleeps, which only a run with an adapter keeps.
        media: of a step, all prompts at once: frames in Ray's object store, patches in TransferQueue, and their making.
        loading: more than that for a while, when the checkpoint is read.
    """

    actor: int
    reference: int
    saved: int
    sleeping: int
    media: int
    loading: int

    @property
    def lasting(self) -> int:
        """All that is there in a step."""
        return self.actor + self.reference + self.saved + self.sleeping + self.media


def plan_host(run: Run, shape: ModelShape, parameters: Parameters, prompt: Prompt) -> Host:
    """Host memory of a node; without Ray, Python, page cache and `data.frame_cache`."""
    engine, state = run.actor, trained_state(parameters, run.actor, run.gpus)
    actor = 0
    if engine.always_offloaded:
        actor = state.total
    else:
        actor = (state.weights if engine.param_offload else 0) + (state.optimizer if engine.optimizer_offload else 0)
    reference = 0
    if run.reference:
        reference = -(-parameters.total // shard_count(run.reference, run.gpus)) * run.reference.stored
    base = parameters.total - parameters.adapter
    sleeping = (
        base * run.rollout.dtype_bytes // run.rollout.tensor_parallel if run.lora and run.rollout.frees_cache else 0
    )
    in_flight = prompt.frame_bytes * (1 + _PREPARING) + prompt.patch_bytes
    # Rank 0 reads the checkpoint; each of them where embeddings are tied.
    readers = run.gpus_per_node if shape.text.tied else 1
    return Host(
        actor=actor * run.gpus_per_node,
        reference=reference * run.gpus_per_node,
        saved=run.saved_weights * state.weights * run.gpus_per_node,
        sleeping=sleeping * run.gpus_per_node,
        media=-(-run.prompts * in_flight // run.nodes),
        loading=readers * base * engine.stored,
    )
