"""A released model made smaller in all proportions but its head's width, so that a CPU can compute its passes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from videossr_verl.families import model_types
from videossr_verl.preflight.memory.hf_config import hf_config
from videossr_verl.preflight.memory.shapes import ModelShape
from videossr_verl.tiny.model import save_checkpoint, vision_token_ids
from videossr_verl.tiny.tokenizer import fill_up, train_tokenizer

VISION_HEADS = 2  # of 64, near the 72 and 80 of the released towers
FEWEST_WORDS = 512


def scaled(shape: ModelShape, scale: int, layers: int) -> ModelShape:
    """Widths divided by `scale`; so many layers, with depth and output layer in proportion."""
    text, vision = shape.text, shape.vision
    heads, share = max(1, text.heads // scale), layers / text.layers
    depth = max(1, round(vision.depth * share))
    return replace(
        shape,
        text=replace(
            text,
            hidden=heads * text.head_dim,
            intermediate=text.intermediate // scale,
            layers=layers,
            heads=heads,
            kv_heads=max(1, text.kv_heads // scale),
            vocab=max(FEWEST_WORDS, round(text.vocab / scale * share)),
        ),
        vision=replace(
            vision,
            hidden=64 * VISION_HEADS,
            intermediate=vision.intermediate // scale,
            depth=depth,
            deepstack=min(vision.deepstack, depth),
        ),
    )


def write_scaled_model(shape: ModelShape, folder: Path) -> None:
    """Random weights in float32, processor and tokenizer, as `from_pretrained` loads them."""
    tokenizer = fill_up(train_tokenizer(["order <1.5 seconds> 0123456789"] * 4, FEWEST_WORDS), shape.text.vocab)
    config = hf_config(shape, vision_token_ids(tokenizer))
    config.vision_config.num_heads = VISION_HEADS
    family = model_types()[shape.model_type]
    torch.manual_seed(0)
    model = family.model_classes(shape.model_type)[1](config).float()
    save_checkpoint(model, family.tiny_processor(tokenizer), folder)
