"""An untrained tiny model that knows the words of some samples, and the processor that verl would load for it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForImageTextToText, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
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
    processor: Any


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


def take_over(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Puts the weights of the checkpoint `folder` into `model`. Embeddings of tokens that both know go by name."""
    old = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    known = AutoTokenizer.from_pretrained(folder).get_vocab()
    rows, old_rows = torch.tensor([(row, known[t]) for t, row in tokenizer.get_vocab().items() if t in known]).T
    words, old_words = (_embeddings(one) for one in (model, old))
    with torch.no_grad():
        words[rows] = old_words[old_rows]
        weights = dict(model.named_parameters())
        for name, weight in old.named_parameters():
            if weight is not old_words:
                weights[name].copy_(weight)


def _embeddings(model: PreTrainedModel) -> torch.Tensor:
    words: Any = model.get_input_embeddings()  # declared as any module
    return words.weight
