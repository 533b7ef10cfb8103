"""A model of random weights has the released one's widths, and what a trial needs of it."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from videossr_verl.preflight.memory.parameters import count_parameters
from videossr_verl.preflight.memory.shapes import model_shape
from videossr_verl.tiny.shaped_model import save_shaped_model, with_layers
from videossr_verl.tiny.tokenizer import fill_up, train_tokenizer


def narrow(name):
    """A released model's shape, and all of its widths much smaller."""
    shape = with_layers(model_shape(name), 2)
    text = replace(shape.text, hidden=64, intermediate=96, vocab=2000, heads=4, kv_heads=2, head_dim=16)
    return replace(shape, text=text, vision=replace(shape.vision, hidden=64, intermediate=96))


@pytest.mark.parametrize(
    "name", ["Qwen/Qwen3-VL-8B-Instruct", "Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen2.5-VL-7B-Instruct"]
)
def test_it_loads_with_the_shape_that_was_asked_for(name, tmp_path):
    shape = narrow(name)
    tokenizer = train_tokenizer(["When does the segment start? 1.0-2.0"] * 4)
    save_shaped_model(shape, tokenizer, tmp_path, seed=1)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype="auto")
    assert model.dtype == torch.bfloat16
    assert sum(p.numel() for p in model.parameters()) == count_parameters(shape).total
    read = model_shape(str(tmp_path))
    assert (read.text, read.vision) == (shape.text, shape.vision)
    processor = AutoProcessor.from_pretrained(tmp_path)
    assert len(processor.tokenizer) == 2000
    output = model.get_output_embeddings().weight.detach().float()
    special = processor.tokenizer.all_special_ids
    assert processor.tokenizer.eos_token_id in special
    assert not output[special].any()
    others = [number for number in range(2000) if number not in special]
    assert output[others].std() == pytest.approx(4 / 64**0.5, rel=0.05)


def test_layers_are_never_more_than_there_are():
    shape = model_shape("Qwen/Qwen3-VL-8B-Instruct")
    assert with_layers(shape, 400).text.layers == shape.text.layers


def test_a_filled_tokenizer_reads_text_as_before():
    before = train_tokenizer(["When does the segment start? 1.0-2.0"] * 4)
    filled = fill_up(before, 5000)
    assert len(filled) == 5000
    for text in ("When does", "1.0-2.0", "Ünï 日本", "<|im_start|>user\n"):
        assert filled(text)["input_ids"] == before(text)["input_ids"]
    assert filled.chat_template == before.chat_template
