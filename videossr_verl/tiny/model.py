"""Random tiny checkpoints of each family: the real classes, about a million parameters."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast, ProcessorMixin

from videossr_verl.families import families, model_types

_HIDDEN, _HEADS, _VISION_HIDDEN = 96, 3, 96
_VISION = {
    "depth": 3,
    "hidden_size": _VISION_HIDDEN,
    "intermediate_size": 3 * _VISION_HIDDEN,
    "num_heads": 4,
    "out_hidden_size": _HIDDEN,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}


def vision_token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """Returns the numbers of the tokens around pictures, under the names that a config has for them."""
    names = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    ids = tokenizer.get_vocab()
    return {key: ids[token] for key, token in names.items()}


def _text_config(tokenizer: PreTrainedTokenizerFast, mrope: dict[str, Any]) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": _HIDDEN,
        "intermediate_size": 3 * _HIDDEN,
        "num_hidden_layers": 3,
        "num_attention_heads": _HEADS,
        "num_key_value_heads": _HEADS,
        "head_dim": _HIDDEN // _HEADS,
        "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, **mrope},
        "bos_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": True,
    }


def build_processor(family: str, tokenizer: PreTrainedTokenizerFast) -> ProcessorMixin:
    """Returns the family's processor with the released models' pixel limits."""
    return _family(family).tiny_processor(tokenizer)


def build_model(family: str, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """Returns a randomly initialised fp32 model of the family's real class. Raises ValueError for an unknown family."""
    module = _family(family)
    config_class, model_class = module.model_classes(module.MODEL_TYPES[0])
    config = config_class(
        text_config=_text_config(tokenizer, module.TINY_TEXT),
        vision_config=_VISION | module.TINY_VISION,
        tie_word_embeddings=True,
        **vision_token_ids(tokenizer),
    )
    config.architectures = [model_class.__name__]
    torch.manual_seed(seed)
    return model_class(config).float()


def _family(name: str) -> ModuleType:
    if name not in families():
        raise ValueError(f"unknown model family '{name}'; known families: {', '.join(families())}")
    return families()[name]


def save_checkpoint(model: PreTrainedModel, processor: ProcessorMixin, out: Path) -> None:
    """Writes a folder that `from_pretrained` and vLLM load."""
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)
    tokenizer = processor.tokenizer
    GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id).save_pretrained(out)
    if architecture := model_types()[model.config.model_type].TEXT_ARCHITECTURE:
        path = out / "config.json"
        config = json.loads(path.read_text())
        config["text_config"]["architectures"] = [architecture]
        path.write_text(json.dumps(config, indent=2) + "\n")
