"""Tiny checkpoints are the real architectures, load everywhere and need nothing from a hub."""

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
from verl.utils.tokenizer import hf_processor

from videossr_verl.families import families
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.tokenizer import train_tokenizer

CLASSES = {"qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration", "qwen3_vl": "Qwen3VLForConditionalGeneration"}


@pytest.mark.parametrize("family", families())
def test_a_checkpoint_loads_as_the_real_class(family, tmp_path):
    tokenizer = train_tokenizer(["When does the segment start? 1.0-2.0"] * 4)
    model = build_model(family, tokenizer, seed=3)
    save_checkpoint(model, build_processor(family, tokenizer), tmp_path)
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype=torch.float32)
    assert type(loaded).__name__ == CLASSES[family]
    assert 0.2e6 < sum(p.numel() for p in loaded.parameters()) < 5e6
    same = build_model(family, tokenizer, seed=3).state_dict()
    assert all(torch.equal(weight, same[name]) for name, weight in loaded.state_dict().items())
    assert hf_processor(str(tmp_path)).get_rope_index is not None


def test_an_unknown_family_is_told():
    with pytest.raises(ValueError, match="unknown model family 'gpt'; known families: qwen2_5_vl, qwen3_vl"):
        build_model("gpt", train_tokenizer(["a"]), 0)


def test_any_text_survives_the_tokenizer():
    tokenizer = train_tokenizer(["Answer only with both times in seconds."] * 4)
    for text in ("14.5-26.2", "Ünï 日本", "Answer only with both times in seconds.", "\x00\n\t"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer("14.5-26.2")["input_ids"]) == 9  # every digit is a token
    assert len(tokenizer("DBAC")["input_ids"]) == 4  # and every label


def test_the_shipped_checkpoint_is_small_and_knows_the_recipes_text(tiny_model, dataset_folder):
    import pyarrow.parquet as pq

    assert sum(f.stat().st_size for f in tiny_model.iterdir()) <= 3_000_000
    tokenizer = AutoProcessor.from_pretrained(tiny_model).tokenizer
    for row in pq.read_table(dataset_folder / "train.parquet").to_pylist():
        assert len(tokenizer(row["prompt"][1]["content"].replace("<video>", ""))["input_ids"]) < 90
