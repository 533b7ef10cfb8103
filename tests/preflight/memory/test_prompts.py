"""Sizes of prompts, against what the tiny models' processors return and the build stores."""

import pyarrow.parquet as pq
import pytest
from known_models import KNOWN_MODELS

from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory.prompts import prompts_of_preset, prompts_of_rows
from videossr_verl.preflight.memory.shapes import model_shape
from videossr_verl.tasks.presets import preset_names

SEVEN, EIGHT = model_shape("Qwen/Qwen2.5-VL-7B-Instruct"), model_shape("Qwen/Qwen3-VL-8B-Instruct")


def test_videossr():
    """48 frames are 24 steps: of 192 x 320 or at most 256 x 256, in squares of 32."""
    prompts = prompts_of_preset("videossr", EIGHT)
    assert prompts.typical.vision_tokens == 24 * 6 * 10
    assert prompts.longest.vision_tokens == 24 * 64
    assert prompts.typical.patches == 4 * prompts.typical.vision_tokens
    assert prompts.typical.frame_bytes == prompts.typical.patch_bytes == 48 * 192 * 320 * 3
    assert not prompts.counted


def test_mvp():
    """12 shown frames in pairs and 8 candidates, each a pair: 14 steps of at most 83 tokens in squares of 28."""
    prompts = prompts_of_preset("mvp", SEVEN)
    assert prompts.longest.vision_tokens == 14 * 83
    assert prompts.longest.tokens < 2048


@pytest.mark.parametrize("shape", [SEVEN, EIGHT])
def test_a_mixed_preset_has_the_prompts_of_its_longest_task(shape):
    assert prompts_of_preset("videossr_mvp", shape).longest == prompts_of_preset("videossr", shape).longest


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_prompts_for_every_model(name):
    for shape in map(model_shape, KNOWN_MODELS):
        prompts = prompts_of_preset(name, shape)
        assert 0 < prompts.typical.tokens <= prompts.longest.tokens


def test_stored_rows(dataset_folder, tiny_model):
    file = f"{dataset_folder}/train.parquet"
    shape = model_shape(str(tiny_model))
    prompts = prompts_of_rows([file], shape)
    rows = pq.read_table(file).to_pylist()
    assert prompts.source.startswith(f"{len(rows)} rows of ")
    assert prompts.typical.tokens <= prompts.longest.tokens
    assert 0 < prompts.longest.vision_tokens < prompts.longest.tokens
    assert prompts.longest.frame_bytes == prompts.longest.patch_bytes > 0


def test_all_stored_files_count(dataset_folder, tiny_model):
    files, shape = [f"{dataset_folder}/{name}.parquet" for name in ("test", "train")], model_shape(str(tiny_model))
    each = [prompts_of_rows([file], shape) for file in files]
    prompts = prompts_of_rows(files, shape)
    assert prompts.source == f"{sum(pq.read_metadata(file).num_rows for file in files)} rows of {files[0]} and 1 more"
    assert prompts.longest.tokens == max(one.longest.tokens for one in each)


def test_stored_rows_are_not_counted_for_another_family(dataset_folder):
    assert not prompts_of_rows([f"{dataset_folder}/train.parquet"], EIGHT).counted


def test_no_rows(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        prompts_of_rows([str(tmp_path / "none.parquet")], EIGHT)
    with pytest.raises(BadInput, match="unknown preset 'none'"):
        prompts_of_preset("none", EIGHT)
