"""A small tokenizer in Qwen's format, trained on the recipe's own text, so that nothing is downloaded."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip

# Every digit is a token, as in the released models, so that answers have the same shape. Here a capital letter that
# begins no word is a token too, so that a label means the same wherever it stands. Other text is not split into words:
# whole phrases of the recipe become one token, and prompts stay short enough for a laptop.
_LABEL = r"\p{Lu}(?!\p{Ll})"
_SPLIT = rf"\p{{N}}|\n|{_LABEL}|(?:(?!{_LABEL})[^\p{{N}}\n])+"

_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int = 2048) -> PreTrainedTokenizerFast:
    """Returns a byte-level BPE tokenizer with Qwen's special tokens, single digits and chat layout.

    `vocab_size` is an upper bound; the vocabulary holds all bytes, so any text can be encoded.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return _with_chat(bpe)


def fill_up(tokenizer: PreTrainedTokenizerFast, vocab_size: int) -> PreTrainedTokenizerFast:
    """Returns a tokenizer of `train_tokenizer` with words that no text holds, `vocab_size` in all. Its own words keep
    their numbers.
    """
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    words = backend["model"]["vocab"]
    taken = {*words.values(), *(token["id"] for token in backend["added_tokens"])}
    words |= {f"word{number}": number for number in range(vocab_size) if number not in taken}
    return _with_chat(Tokenizer.from_str(json.dumps(backend)))


def _with_chat(backend: Tokenizer) -> PreTrainedTokenizerFast:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL_TOKENS[1:],
    )
    tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer
