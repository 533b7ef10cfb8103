"""A checkpoint with a released model's widths, vocabulary and vision tower, but fewer layers and random weights: what a
GPU has to do for each layer is the same, and nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from videossr_verl.families import model_types
from videossr_verl.families.shape import ModelShape
from videossr_verl.preflight.memory.hf_config import hf_config
from videossr_verl.tiny.model import save_checkpoint, vision_token_ids
from videossr_verl.tiny.tokenizer import fill_up

_LOGIT_SPREAD = 4.0


def with_layers(shape: ModelShape, layers: int) -> ModelShape:
    """Returns the shape with so many layers in its language model, or with as many as it has if that is fewer."""
    return replace(shape, text=replace(shape.text, layers=min(layers, shape.text.layers)))


def save_shaped_model(shape: ModelShape, tokenizer: PreTrainedTokenizerFast, out: Path, seed: int) -> None:
    """Writes a folder that `from_pretrained` and vLLM load, in bf16. Made on the GPU if there is one.

    Args:
        tokenizer: of `train_tokenizer`; it is filled up to the shape's vocabulary.
    """
    filled = fill_up(tokenizer, shape.text.vocab)
    config = hf_config(shape, vision_token_ids(filled))
    words = config.text_config
    words.bos_token_id = words.pad_token_id = filled.pad_token_id
    words.eos_token_id = filled.eos_token_id
    family = model_types()[shape.model_type]
    torch.manual_seed(seed)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model = family.model_classes(shape.model_type)[1](config)
    finally:
        torch.set_default_dtype(before)
    _speak_without_end(model, filled)
    save_checkpoint(model, family.tiny_processor(filled), out)


@torch.no_grad()
def _speak_without_end(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Spreads the logits as a trained model's are, and keeps special tokens out of answers: each takes its full
    length.
    """
    output = model.lm_head.weight
    # After the last norm a state has length sqrt(hidden).
    output.normal_(std=_LOGIT_SPREAD / output.shape[1] ** 0.5)
    output[tokenizer.all_special_ids] = 0
