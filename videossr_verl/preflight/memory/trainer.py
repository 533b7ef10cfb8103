"""Plans what the trainer keeps on each GPU under FSDP2: exact for weights, gradients and optimizer, else estimates."""

from __future__ import annotations

from dataclasses import dataclass

from videossr_verl.families.shape import ModelShape
from videossr_verl.preflight.memory.activations import (
    Activations,
    Load,
    entropy_bytes,
    inference_activations,
    update_activations,
)
from videossr_verl.preflight.memory.gpus import GIB
from videossr_verl.preflight.memory.parameters import Parameters
from videossr_verl.preflight.memory.prompts import Prompt
from videossr_verl.preflight.memory.run_settings import Engine, MicroBatch, Run

# An estimate of a process's CUDA context, NCCL's buffers, cuBLAS's workspace and what the allocator cannot use.
TRAINER_OVERHEAD = 2 * GIB
_MOMENTS = 2  # Adam's
REDUCED = 4  # bytes of a gradient while the ranks add it up


@dataclass(frozen=True)
class State:
    """The lasting bytes of one GPU's share: weights, their gradients, Adam's moments."""

    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        """All three."""
        return self.weights + self.gradients + self.optimizer


def shard_count(engine: Engine, gpus: int) -> int:
    """Returns the number of GPUs that share one copy of the model."""
    return gpus if engine.fsdp_size < 1 else min(engine.fsdp_size, gpus)


def trained_state(parameters: Parameters, engine: Engine, gpus: int) -> State:
    """Returns one GPU's share of a trained model, on the GPU or offloaded."""
    shards, bytes_each = shard_count(engine, gpus), engine.stored
    trained = -(-parameters.trained // shards) * bytes_each
    return State(-(-parameters.total // shards) * bytes_each, trained, _MOMENTS * trained)


def on_gpu_while_idle(state: State, engine: Engine) -> State:
    """Returns what of the model stays on the GPU while the trainer does not train. Gradients never do."""
    if engine.always_offloaded:
        return State(0, 0, 0)
    return State(
        0 if engine.param_offload else state.weights,
        0,
        0 if engine.optimizer_offload else state.optimizer,
    )


def on_gpu_in_update(state: State, engine: Engine) -> State:
    """Returns what of the model is on the GPU in an update: all of it, as verl fetches what it offloaded; none under
    FSDP2's own policy.
    """
    return State(0, 0, 0) if engine.always_offloaded else state


def optimizer_step_bytes(state: State, engine: Engine) -> int:
    """Returns the size of Adam's temporary copy: the square roots of all its second moments at once."""
    return 0 if engine.always_offloaded else state.gradients


def gathered(shape: ModelShape, parameters: Parameters, engine: Engine, *, training: bool) -> int:
    """Returns the whole parameters on each GPU: the root, a layer and the next one; in training also the layer's
    gradients.
    """
    text_tied = shape.text.tied
    pair = parameters.layer + (parameters.layer if text_tied else max(parameters.layer, parameters.embedding))
    if not engine.reshard:
        pair = parameters.total - parameters.root
    whole = (parameters.root + pair) * engine.gathered
    if not training:
        return whole
    largest = parameters.layer if text_tied else max(parameters.layer, parameters.embedding)
    share = parameters.trained / parameters.total
    return whole + int(share * (largest * (engine.gathered + REDUCED) + parameters.root * engine.gathered))


def load(run: Run, micro: MicroBatch, prompt: Prompt) -> Load:
    """Returns the largest micro batch of one GPU, full of the longest prompts with answers of the longest length."""
    longest = prompt.tokens + run.answer_length
    if micro.samples is None:
        assert micro.tokens is not None
        # verl lets every GPU of a Ulysses group bring its limit; a sample is never cut.
        tokens = max(micro.tokens * run.sequence_parallel, longest)
        share, patches = -(-tokens // run.sequence_parallel), int(tokens / longest * prompt.patches)
        return Load(share, patches, tokens - prompt.tokens if run.shares_prompts else share)
    if run.shares_prompts:
        prompts, answers = prompts_at_once(run, micro.samples), micro.samples * run.answer_length
        return Load(prompts * prompt.tokens + answers, prompts * prompt.patches, answers)
    share = -(-micro.samples * longest // run.sequence_parallel)
    return Load(share, micro.samples * prompt.patches, share)


def prompts_at_once(run: Run, samples: int) -> int:
    """Returns the most prompts that the answers of a micro batch have, whose groups stand one after the other
    (patches/speed/shared_prompts/order.py).
    """
    prompts = -(-samples // run.rollouts)
    divides = samples % run.rollouts == 0 or run.rollouts % samples == 0
    if divides and run.mini_batch % run.gpus == 0:
        return prompts
    return min(samples, prompts + 1)


def update_of(run: Run, shape: ModelShape, parameters: Parameters, prompt: Prompt) -> Activations:
    """Returns the memory of an update's forward and backward pass."""
    entropy = entropy_bytes(wanted=run.entropy_in_update, compiled=run.compiled_entropy)
    return update_activations(
        shape,
        parameters,
        load(run, run.update, prompt),
        checkpointing=run.checkpointing,
        fused=run.fused is not None,
        entropy=entropy,
    )


def log_probs_of(run: Run, shape: ModelShape, parameters: Parameters, prompt: Prompt) -> Activations:
    """Returns the largest of the forward passes: the old policy's, which gives its entropy too, and the reference's."""
    passes = [] if run.reuses_log_probs else [(run.log_prob, entropy_bytes(wanted=True, compiled=run.compiled_entropy))]
    if run.compares:
        passes.append((run.reference_log_prob if run.reference else run.log_prob, 0))
    sizes = [
        inference_activations(shape, parameters, load(run, micro, prompt), fused=run.fused is not None, entropy=entropy)
        for micro, entropy in passes
    ]
    return max(sizes, key=lambda activations: activations.peak, default=Activations(0, 0, 0))
