"""The script that makes the quickstart's starting checkpoint, a few steps of it."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoTokenizer

SCRIPT = Path(__file__).parent.parent.parent / "recipes" / "tiny" / "warm_start.py"


@pytest.fixture
def warm_start(tmp_path, monkeypatch):
    def run(name, *arguments):
        out = tmp_path / name
        command = [str(SCRIPT), "--scenes", "6", "--batch", "6", "--steps", "2", "--out", str(out)]
        monkeypatch.setattr(sys, "argv", [*command, "--videos", str(tmp_path / "videos"), *arguments])
        with pytest.raises(SystemExit) as ended:  # in this process: a new one spends most of its time on imports
            runpy.run_path(str(SCRIPT), run_name="__main__")
        assert ended.value.code == 0
        model = AutoModelForImageTextToText.from_pretrained(out, dtype=torch.float32)
        return model, AutoTokenizer.from_pretrained(out)

    return run


def test_each_family_gives_a_checkpoint(warm_start):
    model, tokenizer = warm_start("qwen3", "--family", "qwen3_vl")
    assert model.config.model_type == "qwen3_vl"
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)


def test_a_later_stage_goes_on_from_an_earlier_one(warm_start, tmp_path):
    first, words = warm_start("first", "--tasks", "object_counting")
    second, more_words = warm_start("second", "--init", str(tmp_path / "first"), "--lr", "0")
    assert len(more_words) > len(words)
    known = words.get_vocab()
    shared = [(row, known[token]) for token, row in more_words.get_vocab().items() if token in known]
    rows, first_rows = torch.tensor(shared).T
    kept = first.get_input_embeddings().weight[first_rows]
    assert torch.equal(second.get_input_embeddings().weight[rows], kept)
    vision = first.model.visual.state_dict()
    assert all(torch.equal(weight, vision[name]) for name, weight in second.model.visual.state_dict().items())
