"""The shape of a base model: what its config.json says about widths and depths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COLOURS = 3


@dataclass(frozen=True)
class TextShape:
    """The language model.

    Attributes:
        tied: whether the output layer is the embedding.
        max_positions: the longest context, tokens.
        qkv_bias, qk_norm: whether queries, keys and values have biases, and queries and keys norms.
        experts: 0 where every layer is dense.
    """

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    max_positions: int
    qkv_bias: bool
    qk_norm: bool
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate: int = 0


@dataclass(frozen=True)
class VisionShape:
    """The vision tower.

    Attributes:
        gated_mlp: whether a block's MLP has a gate. layer_norms: with biases, in place of RMS norms.
        stem_bias: whether the layer that takes patches has one.
        positions: learned ones (0: rotary only).
        deepstack: number of layers that feed the language model.
    """

    hidden: int
    intermediate: int
    depth: int
    patch: int
    gated_mlp: bool
    layer_norms: bool
    stem_bias: bool
    merge: int = 2
    temporal_patch: int = 2
    positions: int = 0
    deepstack: int = 0

    @property
    def factor(self) -> int:
        """Height and width of a frame are multiples of it, pixels."""
        return self.patch * self.merge

    @property
    def patch_values(self) -> int:
        """Numbers in a patch: a square of `temporal_patch` frames, in all colours."""
        return COLOURS * self.temporal_patch * self.patch**2


@dataclass(frozen=True)
class ModelShape:
    """A model by name (hub name or folder) and by its config's `model_type`."""

    name: str
    model_type: str
    text: TextShape
    vision: VisionShape


def vision_fields(vision: Any) -> dict[str, int]:
    """Reads the fields of VisionShape from a vision config that names its sizes as Qwen2.5-VL's and Qwen3-VL's do."""
    return {
        "hidden": vision.hidden_size,
        "intermediate": vision.intermediate_size,
        "depth": vision.depth,
        "patch": vision.patch_size,
        "merge": vision.spatial_merge_size,
        "temporal_patch": vision.temporal_patch_size,
    }
