"""The shape of a base model: what its config.json says about widths and depths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from videossr_verl.errors import BadInput

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")
COLOURS = 3
_TABLE = Path(__file__).parent / "models.yaml"


@dataclass(frozen=True)
class TextShape:
    """The language model. `experts` is 0 where every layer is dense; `max_positions` is the longest context, tokens."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    max_positions: int
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate: int = 0


@dataclass(frozen=True)
class VisionShape:
    """The vision tower. `positions` are learned ones (0: rotary only); `deepstack` counts the layers that feed it."""

    hidden: int
    intermediate: int
    depth: int
    patch: int
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
    """A model by name (hub name or folder) and family, one of FAMILIES."""

    name: str
    family: str
    text: TextShape
    vision: VisionShape


def known_models() -> list[str]:
    """Hub names of the models in models.yaml."""
    return list(_table())


def model_shape(path: str) -> ModelShape:
    """The shape of a model by hub name, or by the config.json of a folder.

    Raises:
        BadInput: an unknown hub name, no readable config.json, or a model of another family.
    """
    entry = _table().get(path)
    if entry is not None:
        return ModelShape(path, entry["family"], TextShape(**entry["text"]), VisionShape(**entry["vision"]))
    folder = os.path.expanduser(path)
    if not os.path.isdir(folder):
        raise BadInput(f"the shape of model '{path}' is not known: give a folder with its config.json as MODEL")
    return _from_config(path, _read_config(folder))


def _table() -> dict[str, Any]:
    return yaml.safe_load(_TABLE.read_text(encoding="utf-8"))


def _read_config(folder: str) -> Any:
    # transformers fills in what older config.json files leave out, and sorts their fields into text and vision.
    try:
        from transformers import AutoConfig

        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (ImportError, OSError, ValueError, KeyError) as error:
        raise BadInput(f"'{folder}' has no readable config.json: {str(error).splitlines()[0]}") from error


def _from_config(path: str, config: Any) -> ModelShape:
    if config.model_type not in FAMILIES:
        raise BadInput(f"'{path}' is a {config.model_type}, give one of {', '.join(FAMILIES)}")
    text, vision = config.text_config, config.vision_config
    shape = TextShape(
        hidden=text.hidden_size,
        intermediate=text.intermediate_size,
        layers=text.num_hidden_layers,
        heads=text.num_attention_heads,
        kv_heads=text.num_key_value_heads,
        head_dim=getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        vocab=text.vocab_size,
        tied=config.tie_word_embeddings,
        max_positions=text.max_position_embeddings,
        experts=getattr(text, "num_experts", 0),
        experts_per_token=getattr(text, "num_experts_per_tok", 0),
        expert_intermediate=getattr(text, "moe_intermediate_size", 0),
    )
    tower = VisionShape(
        hidden=vision.hidden_size,
        intermediate=vision.intermediate_size,
        depth=vision.depth,
        patch=vision.patch_size,
        merge=vision.spatial_merge_size,
        temporal_patch=vision.temporal_patch_size,
        positions=getattr(vision, "num_position_embeddings", 0),
        deepstack=len(getattr(vision, "deepstack_visual_indexes", ())),
    )
    return ModelShape(path, config.model_type, shape, tower)
