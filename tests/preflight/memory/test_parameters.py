"""Counts against transformers' own classes, built without memory from the same shapes, and PEFT's adapter on them."""

import pytest
import torch
import transformers
from known_models import KNOWN_MODELS
from peft import LoraConfig, get_peft_model

from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory.hf_config import hf_config
from videossr_verl.preflight.memory.parameters import Lora, count_parameters
from videossr_verl.preflight.memory.shapes import model_shape

# As the hub shows them for the checkpoints' files.
PUBLISHED = {
    "Qwen/Qwen2.5-VL-3B-Instruct": 3_754_622_976,
    "Qwen/Qwen2.5-VL-7B-Instruct": 8_292_166_656,
    "Qwen/Qwen2.5-VL-32B-Instruct": 33_452_718_336,
    "Qwen/Qwen2.5-VL-72B-Instruct": 73_410_777_344,
    "Qwen/Qwen3-VL-4B-Instruct": 4_437_815_808,
    "Qwen/Qwen3-VL-8B-Instruct": 8_767_123_696,
    "Qwen/Qwen3-VL-32B-Instruct": 33_357_390_064,
    "Qwen/Qwen3-VL-30B-A3B-Instruct": 31_070_754_032,
}


def real_model(shape):
    with torch.device("meta"):
        config = hf_config(shape)
        model = getattr(transformers, config.architectures[0])(config)
        model.tie_weights()
    return model


def size(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", KNOWN_MODELS)
def test_every_part_of_every_model(name):
    shape = model_shape(name)
    counts, model = count_parameters(shape), real_model(shape)
    assert counts.total == size(model) == PUBLISHED[name]
    assert counts.vision == size(model.model.visual)
    assert counts.layer == size(model.model.language_model.layers[0])
    assert counts.embedding == size(model.model.language_model.embed_tokens)


@pytest.mark.parametrize("name", KNOWN_MODELS)
def test_the_root_is_what_verl_wraps_in_no_unit(name):
    from verl.utils.fsdp_utils import _select_fsdp2_wrap_targets

    shape = model_shape(name)
    model = real_model(shape)
    units = {id(p) for unit in _select_fsdp2_wrap_targets(model, model._no_split_modules) for p in unit.parameters()}
    assert count_parameters(shape).root == sum(p.numel() for p in model.parameters() if id(p) not in units)


@pytest.mark.parametrize("exclude", [".*visual.*", None])
@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-VL-3B-Instruct", "Qwen/Qwen3-VL-8B-Instruct", KNOWN_MODELS[-1]])
def test_an_adapter(name, exclude):
    shape = model_shape(name)
    lora = LoraConfig(task_type="CAUSAL_LM", r=64, target_modules="all-linear", exclude_modules=exclude)
    adapted = get_peft_model(real_model(shape), lora)
    counts = count_parameters(shape, Lora(64, exclude))
    assert counts.trained == sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert counts.total == size(adapted)


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-VL-3B-Instruct", "Qwen/Qwen3-VL-4B-Instruct", KNOWN_MODELS[-1]])
def test_a_folder_says_the_same_as_the_table(name, tmp_path):
    shape = model_shape(name)
    hf_config(shape).save_pretrained(tmp_path)
    found = model_shape(str(tmp_path))
    assert (found.model_type, found.text, found.vision) == (shape.model_type, shape.text, shape.vision)


def test_the_tiny_model():
    from transformers import AutoModelForImageTextToText

    folder = "recipes/tiny/qwen2_5_vl"
    assert count_parameters(model_shape(folder)).total == size(AutoModelForImageTextToText.from_pretrained(folder))


def test_wrong_models(tmp_path):
    with pytest.raises(BadInput, match="shape of model 'org/unknown' is not known"):
        model_shape("org/unknown")
    with pytest.raises(BadInput, match=r"no readable config\.json"):
        model_shape(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(BadInput, match="is a gpt2, give one of qwen2_5_vl"):
        model_shape(str(tmp_path))
