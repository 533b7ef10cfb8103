"""Counts a model's parameters, by the parts that matter for memory."""

from __future__ import annotations

import re
from dataclasses import dataclass

from videossr_verl.families.shape import ModelShape, TextShape, VisionShape


@dataclass(frozen=True)
class Lora:
    """A low-rank adapter on all linear layers but those whose name `exclude` matches (None: on all)."""

    rank: int
    exclude: str | None = None


@dataclass(frozen=True)
class Parameters:
    """Counts of parameters.

    Attributes:
        language, vision: of the base model.
        adapter: of a LoRA adapter, 0 without.
        layer: of one layer of the language model.
        embedding: of the embedding, which is the output layer's too.
        root: of what FSDP2 wraps in no unit of its own: gathered as long as a micro batch runs.
        frozen: of the base model, without gradients.
    """

    language: int
    vision: int
    adapter: int
    layer: int
    embedding: int
    root: int
    frozen: int = 0

    @property
    def total(self) -> int:
        """All parameters of the base model and its adapter."""
        return self.language + self.vision + self.adapter

    @property
    def trained(self) -> int:
        """The parameters with a gradient: all but the frozen ones, or with LoRA the adapter's."""
        return self.adapter or self.total - self.frozen


def count_parameters(shape: ModelShape, lora: Lora | None = None, *, freezes_vision: bool = False) -> Parameters:
    """Returns the counts of a model's parameters, equal to those of transformers' class of it (and of PEFT's adapter on
    it).
    """
    text, vision = shape.text, shape.vision
    layer = _matrices(_text_linears(shape)) + _text_layer_rest(shape)
    embedding = text.vocab * text.hidden
    language = text.layers * layer + text.hidden + embedding * (1 if text.tied else 2)
    block = _matrices(_block_linears(shape)) + _block_rest(shape)
    mergers = _matrices(_merger_linears(shape)) + _merger_rest(shape)
    positions = vision.positions * vision.hidden
    stem = vision.patch_values * vision.hidden + (vision.hidden if vision.stem_bias else 0)
    root = stem + mergers + text.hidden + (embedding + positions if text.tied else 0)
    tower = stem + positions + vision.depth * block + mergers
    return Parameters(
        language=language,
        vision=tower,
        adapter=_adapter(shape, lora) if lora else 0,
        layer=layer,
        embedding=embedding,
        root=root,
        frozen=tower if freezes_vision else 0,
    )


def _matrices(linears: list[tuple[int, int]]) -> int:
    return sum(rows * columns for rows, columns in linears)


def _attention_linears(text: TextShape) -> list[tuple[int, int]]:
    queries, keys = text.heads * text.head_dim, text.kv_heads * text.head_dim
    return [(text.hidden, queries), (text.hidden, keys), (text.hidden, keys), (queries, text.hidden)]


def _text_linears(shape: ModelShape) -> list[tuple[int, int]]:
    """Returns (inputs, outputs) of a layer's linear layers. Experts are single tensors, so they are not among these."""
    text = shape.text
    mlp = [] if text.experts else 3 * [(text.hidden, text.intermediate)]
    return _attention_linears(text) + mlp


def _text_layer_rest(shape: ModelShape) -> int:
    text = shape.text
    experts = text.experts * text.hidden * (3 * text.expert_intermediate + 1)  # and the router's row
    biases = (text.heads + 2 * text.kv_heads) * text.head_dim if text.qkv_bias else 0
    norms = 2 * text.head_dim if text.qk_norm else 0
    return experts + biases + norms + 2 * text.hidden


def _block_linears(shape: ModelShape) -> list[tuple[int, int]]:
    vision = shape.vision
    up = 2 if vision.gated_mlp else 1
    mlp = (up + 1) * [(vision.hidden, vision.intermediate)]
    return [(vision.hidden, 3 * vision.hidden), (vision.hidden, vision.hidden), *mlp]


def _block_rest(shape: ModelShape) -> int:
    vision = shape.vision
    biases = 5 * vision.hidden + (2 if vision.gated_mlp else 1) * vision.intermediate
    norms = (4 if vision.layer_norms else 2) * vision.hidden
    return biases + norms


def _merger_linears(shape: ModelShape) -> list[tuple[int, int]]:
    merged = shape.vision.hidden * shape.vision.merge**2
    return (1 + shape.vision.deepstack) * [(merged, merged), (merged, shape.text.hidden)]


def _merger_rest(shape: ModelShape) -> int:
    vision: VisionShape = shape.vision
    merged = vision.hidden * vision.merge**2
    biases = (1 + vision.deepstack) * (merged + shape.text.hidden)
    norm = 2 if vision.layer_norms else 1
    return biases + norm * vision.hidden + vision.deepstack * norm * merged


def _adapter(shape: ModelShape, lora: Lora) -> int:
    linears = shape.text.layers * _text_linears(shape)
    if not (lora.exclude and re.fullmatch(lora.exclude, "model.visual.blocks.0.attn.qkv")):
        linears += shape.vision.depth * _block_linears(shape) + _merger_linears(shape)
    return lora.rank * sum(rows + columns for rows, columns in linears)
