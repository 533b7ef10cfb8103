"""The config of transformers' own class for a model of some shape, for models without a checkpoint at hand."""

from __future__ import annotations

from transformers import (
    PreTrainedConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLMoeConfig,
    Qwen3VLMoeForConditionalGeneration,
)

from videossr_verl.preflight.memory.shapes import ModelShape

_CLASSES = {
    "qwen2_5_vl": (Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration),
    "qwen3_vl": (Qwen3VLConfig, Qwen3VLForConditionalGeneration),
    "qwen3_vl_moe": (Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration),
}
_VISION_HEADS = 16  # of all released models


def hf_config(shape: ModelShape, token_ids: dict[str, int] | None = None) -> PreTrainedConfig:
    """The config of a released model by its shape.

    Args:
        token_ids: `video_token_id` and the like, of a tokenizer that is not the released one.
    """
    text, vision = shape.text, shape.vision
    words = {
        "hidden_size": text.hidden,
        "intermediate_size": text.intermediate,
        "num_hidden_layers": text.layers,
        "num_attention_heads": text.heads,
        "num_key_value_heads": text.kv_heads,
        "vocab_size": text.vocab,
        "max_position_embeddings": text.max_positions,
        "tie_word_embeddings": text.tied,
    }
    tower = {
        "hidden_size": vision.hidden,
        "intermediate_size": vision.intermediate,
        "depth": vision.depth,
        "out_hidden_size": text.hidden,
        "patch_size": vision.patch,
        "num_heads": _VISION_HEADS,
    }
    if shape.family == "qwen2_5_vl":
        rope = {"mrope_section": [16, 24, 24], "rope_theta": 1e6}
        tower["tokens_per_second"] = 2  # 4 in the config's class
    else:
        words["head_dim"] = text.head_dim
        rope = {"mrope_section": [24, 20, 20], "mrope_interleaved": True, "rope_theta": 5e6}
        # The released models spread them over the first 25 blocks, which costs the same.
        tower["deepstack_visual_indexes"] = list(range(vision.deepstack))
        tower["num_position_embeddings"] = vision.positions
    if text.experts:
        words["num_experts"] = text.experts
        words["num_experts_per_tok"] = text.experts_per_token
        words["moe_intermediate_size"] = text.expert_intermediate
    words["rope_parameters"] = {"rope_type": "default", **rope}
    config, model = _CLASSES[shape.family]
    return config(
        text_config=words,
        vision_config=tower,
        tie_word_embeddings=text.tied,
        architectures=[model.__name__],
        **(token_ids or {}),
    )
