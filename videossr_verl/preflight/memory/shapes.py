"""The shape of a base model by its hub name (models.yaml) or by the config.json of a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from videossr_verl.errors import BadInput
from videossr_verl.families import model_types
from videossr_verl.families.shape import ModelShape, TextShape, VisionShape

_TABLE = Path(__file__).parent / "models.yaml"


def model_shape(path: str) -> ModelShape:
    """Returns the shape of a model by hub name, or by the config.json of a folder.

    Raises:
        BadInput: an unknown hub name, no readable config.json, or a model of no installed family.
    """
    entry = _table().get(path)
    if entry is not None:
        family = model_types()[entry["model_type"]]
        text, vision = TextShape(**entry["text"], **family.TEXT), VisionShape(**entry["vision"], **family.VISION)
        return ModelShape(path, entry["model_type"], text, vision)
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
    if config.model_type not in model_types():
        raise BadInput(f"'{path}' is a {config.model_type}, give one of {', '.join(model_types())}")
    family, text = model_types()[config.model_type], config.text_config
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
        **family.TEXT,
    )
    tower = VisionShape(**family.vision_shape(config.vision_config), **family.VISION)
    return ModelShape(path, config.model_type, shape, tower)
