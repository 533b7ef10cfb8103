"""An untrained tiny model that knows the words of some samples, and the processor that verl would load for it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedModel, PreTrainedTokenizerFast, ProcessorMixin
from verl.utils.tokenizer import hf_processor

from videossr_verl.rows.schema import SYSTEM_PROMPT
from videossr_verl.tasks.contract import Sample
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.supervised import scale_weights
from videossr_verl.tiny.tokenizer import train_tokenizer


class Untrained(NamedTuple):
    """A model with random weights, its tokenizer, and its processor, which tells the position ids that verl uses."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    processor: ProcessorMixin


def untrained(family: str, samples: Sequence[Sample], seed: int) -> Untrained:
    """Returns a model of the family in fp32. Its tokenizer is trained on the samples' questions and answers.

    Args:
        seed: of the weights.
    """
    texts = [text for s in samples for text in (*s.question.split("<video>"), s.answer)]
    tokenizer = train_tokenizer([*texts, *["system\n", "user\n", "assistant\n", SYSTEM_PROMPT] * len(samples)])
    model = build_model(family, tokenizer, seed)
    scale_weights(model, seed)
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(model, build_processor(family, tokenizer), Path(folder))
        return Untrained(model, tokenizer, hf_processor(folder))
