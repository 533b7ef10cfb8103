"""Estimates what a forward and backward pass keeps on a GPU, in bytes.

They are counted from transformers' layers under bf16 with FlashAttention 2. tests/preflight/memory/test_activations.py
compares them with torch's own accounting of the real layers, and with what one rank took on an H200.
"""

from __future__ import annotations

from dataclasses import dataclass

from videossr_verl.families.shape import ModelShape
from videossr_verl.preflight.memory.parameters import Parameters

_PIXEL = 4  # bytes of a patch's number: normalised on the GPU, in fp32, and there until its micro batch ends
_FUSED_CHUNK = 512  # tokens that verl's fused kernel turns into logits at once
_FUSED_COPIES = 5  # of a chunk's logits in fp32: softmax, one-hot, gradients
_EAGER_ENTROPY = 12  # bytes a logit: fp32 logits, softmax and product


@dataclass(frozen=True)
class Load:
    """The work of one GPU at once: tokens of the language model (its share, with Ulysses), patches of the tower, and
    the states that reach the output layer.
    """

    tokens: int
    patches: int
    predicting: int


@dataclass(frozen=True)
class Activations:
    """Bytes of activations: what stays during a micro batch, one layer at work, and the logits with what their loss
    needs.
    """

    kept: int
    layer: int
    logits: int

    @property
    def peak(self) -> int:
        """The most at any time: the loss, or the backward pass of the last layer."""
        return self.kept + max(self.layer, self.logits)


def saved_by_layer(shape: ModelShape) -> int:
    """Returns the bytes a token that one layer of the language model keeps for its backward pass, without
    checkpointing.
    """
    text = shape.text
    queries, keys = text.heads * text.head_dim, text.kv_heads * text.head_dim
    norms = 2 * 8 * text.hidden  # the input in fp32, and twice in bf16
    # Without norms on queries and keys verl repeats keys and values for every head.
    attention = 10 * (queries + keys) if text.qk_norm else 8 * queries
    if text.experts:
        chosen = text.experts_per_token
        mlp = 8 * chosen * text.expert_intermediate + 6 * chosen * text.hidden + 8 * text.experts
    else:
        mlp = 8 * text.intermediate
    return norms + attention + mlp + 8 * text.heads + 4 * text.head_dim


def working_in_layer(shape: ModelShape) -> int:
    """Returns the bytes a token of gradients that one layer's backward pass holds, besides what the layer kept."""
    text = shape.text
    if text.experts:
        return 6 * text.experts_per_token * text.expert_intermediate + (2 + 4 * text.experts_per_token) * text.hidden
    return 6 * text.intermediate + 2 * text.hidden


def saved_by_block(shape: ModelShape) -> int:
    """Returns the bytes a patch that one block of the vision tower keeps for its backward pass."""
    vision = shape.vision
    return 31 * vision.hidden + (8 if vision.gated_mlp else 4) * vision.intermediate


def update_activations(
    shape: ModelShape, parameters: Parameters, load: Load, *, checkpointing: bool, fused: bool, entropy: int
) -> Activations:
    """Returns the activations of a forward and backward pass with a loss on log-probabilities.

    Args:
        fused: whether logits come chunk by chunk.
        entropy: bytes a logit that its entropy needs (`entropy_bytes`).
    """
    text, vision = shape.text, shape.vision
    token, patch = saved_by_layer(shape), saved_by_block(shape)
    if checkpointing:
        kept = load.tokens * 2 * text.hidden * text.layers + load.patches * 2 * vision.hidden * vision.depth
        layer = max(load.tokens * (token + working_in_layer(shape)), load.patches * 2 * patch)
    else:
        kept = load.tokens * token * text.layers + load.patches * patch * vision.depth
        layer = max(load.tokens * working_in_layer(shape), load.patches * patch)
    kept += load.tokens * 8 * text.hidden  # the last norm and the loss's input
    kept += load.tokens * 2 * text.hidden * vision.deepstack
    kept += _pixels(shape, load)
    return Activations(kept, layer, _logits(shape, parameters, load, fused, entropy, backward=True))


def inference_activations(
    shape: ModelShape, parameters: Parameters, load: Load, *, fused: bool, entropy: int
) -> Activations:
    """Returns the activations of a forward pass alone, as for the old policy's and the reference's
    log-probabilities.
    """
    text, vision = shape.text, shape.vision
    kept = load.tokens * 4 * text.hidden + load.tokens * 2 * text.hidden * vision.deepstack + _pixels(shape, load)
    wide = text.experts_per_token * (text.expert_intermediate * 3 + text.hidden) if text.experts else 0
    layer = load.tokens * 2 * (4 * text.hidden + max(wide, 3 * text.intermediate))
    tower = load.patches * 2 * (8 * vision.hidden + 3 * vision.intermediate)
    return Activations(kept, max(layer, tower), _logits(shape, parameters, load, fused, entropy, backward=False))


def entropy_bytes(*, wanted: bool, compiled: bool) -> int:
    """Returns the bytes a logit that an entropy needs. It needs none where it is compiled to a sum that never writes
    its terms.
    """
    return _EAGER_ENTROPY if wanted and not compiled else 0


def _pixels(shape: ModelShape, load: Load) -> int:
    return load.patches * shape.vision.patch_values * _PIXEL


def _logits(shape: ModelShape, parameters: Parameters, load: Load, fused: bool, entropy: int, *, backward: bool) -> int:
    if not fused:
        # bf16; the cross entropy (patches/speed/cross_entropy.py) writes the gradient in their place.
        return load.predicting * shape.text.vocab * (2 + entropy)
    chunk = min(load.predicting, _FUSED_CHUNK) * shape.text.vocab * (2 + 4 * _FUSED_COPIES)
    # The output layer's weights in bf16, their gradient, and what a chunk adds to it.
    weights = parameters.embedding * 2 * (3 if backward else 1)
    return chunk + weights
