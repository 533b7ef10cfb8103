"""The config of transformers' own class for a model of some shape, for models without a checkpoint at hand."""

from __future__ import annotations

from transformers import PreTrainedConfig

from videossr_verl.families import model_types
from videossr_verl.families.shape import ModelShape

_VISION_HEADS = 16  # the same in all released models


def hf_config(shape: ModelShape, token_ids: dict[str, int] | None = None) -> PreTrainedConfig:
    """Returns the config of a released model by its shape.

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
    if text.experts:
        words["num_experts"] = text.experts
        words["num_experts_per_tok"] = text.experts_per_token
        words["moe_intermediate_size"] = text.expert_intermediate
    family = model_types()[shape.model_type]
    own_words, own_tower = family.released_config(shape)
    config, model = family.model_classes(shape.model_type)
    return config(
        text_config=words | own_words,
        vision_config=tower | own_tower,
        tie_word_embeddings=text.tied,
        architectures=[model.__name__],
        **(token_ids or {}),
    )
