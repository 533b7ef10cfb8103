"""What crosses the network between nodes in a step, if each collective goes once around a ring, as NCCL does it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from videossr_verl.families.shape import ModelShape
from videossr_verl.preflight.memory.parameters import Parameters
from videossr_verl.preflight.memory.prompts import Prompt
from videossr_verl.preflight.memory.run_settings import Engine, MicroBatch, Run
from videossr_verl.preflight.memory.trainer import REDUCED, shard_count


@dataclass(frozen=True)
class Network:
    """Bytes into each node in a step.

    Attributes:
        gathered: weights for forward and backward passes. gradients: to be added up.
        exported: weights that are gathered once more, whole, for vLLM.
        sent: weights into each node that only answers; the others are for nodes that train.
    """

    gathered: int
    gradients: int
    exported: int
    sent: int

    @property
    def parts(self) -> dict[str, int]:
        """What nodes that train get, by names for people."""
        return {"gathered weights": self.gathered, "gradients": self.gradients, "weights for vLLM": self.exported}

    @property
    def total(self) -> int:
        """All that a node that trains gets."""
        return sum(self.parts.values())


def plan_network(run: Run, shape: ModelShape, parameters: Parameters, typical: Prompt) -> Network:
    """Returns what crosses: nothing between the GPUs of one node, and only gradients where each node has a copy."""
    updates = micro_batches(run, run.update, typical)
    # Each pass gathers every layer, a backward pass again what its forward pass let go; a frozen tower has none.
    twice = parameters.total - parameters.frozen if run.actor.reshard else 0
    forward = micro_batches(run, run.log_prob, typical)
    of_actor = updates * (parameters.total + twice) + forward * parameters.total
    gathered = of_actor * run.actor.gathered * _gather(run, run.actor)
    if run.compares:
        policy, micro = (run.reference, run.reference_log_prob) if run.reference else (run.actor, run.log_prob)
        passes = micro_batches(run, micro, typical)
        gathered += passes * parameters.total * policy.gathered * _gather(run, policy)
    # A tied output layer has a name of its own, and is taken for that once more.
    exported = parameters.adapter or parameters.total + (parameters.embedding if shape.text.tied else 0)
    exported *= run.actor.stored
    return Network(
        gathered=math.ceil(gathered),
        # verl adds them up in each micro batch (use_no_sync_for_gradient_accumulation is false).
        gradients=math.ceil(updates * parameters.trained * REDUCED * _reduce(run)),
        exported=math.ceil(exported * _gather(run, run.actor)),
        sent=exported if run.answering else 0,
    )


def micro_batches(run: Run, micro: MicroBatch, typical: Prompt) -> int:
    """Returns the micro batches of one GPU in a step. Where tokens limit them: of typical prompts with the longest
    answers.
    """
    answers = run.prompts * run.rollouts * run.sequence_parallel / run.gpus
    if micro.samples is not None:
        return math.ceil(answers / micro.samples)
    assert micro.tokens is not None
    tokens = typical.tokens + run.answer_length
    return math.ceil(answers * tokens / max(tokens, micro.tokens * run.sequence_parallel))


def _gather(run: Run, engine: Engine) -> float:
    """Returns the share of a gathered model that enters a node: all but one GPU's shard, or nothing if the GPUs that
    share a copy are all in one node. Adding up gradients for the shards takes as much.
    """
    shards = shard_count(engine, run.gpus)
    return (shards - 1) / shards if shards > run.gpus_per_node else 0


def _reduce(run: Run) -> float:
    """Returns the share of the gradients that enters a node: for the shards, and for the copies of each shard."""
    shards = shard_count(run.actor, run.gpus)
    copies = run.gpus // shards
    between = 2 * (copies - 1) / copies * min(1, run.gpus_per_node / shards) if run.nodes > 1 else 0
    return _gather(run, run.actor) + between
