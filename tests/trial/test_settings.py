"""A trial's settings are read as they are meant, and fit the GPUs that it is for."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from videossr_verl.preflight.memory.gpus import GIB, find_gpu
from videossr_verl.preflight.memory.hf_config import hf_config
from videossr_verl.preflight.memory.plan_config import plan_config
from videossr_verl.preflight.memory.shapes import model_shape
from videossr_verl.preflight.memory.verdict import problems
from videossr_verl.tiny.shaped_model import with_layers
from videossr_verl.trial.settings import ON_GPUS, quoted, settings

TEXTS = st.text(st.sampled_from("'\"\\$ ,=#[](){}~a:") | st.characters(exclude_characters="\0\n\r", codec="utf-8"))


@given(text=TEXTS)
def test_any_path_comes_out_as_it_went_in(text):
    path = Path("/") / text
    (override,) = OverridesParser.create().parse_overrides([f"x={quoted(path)}"])
    assert OmegaConf.create({"x": override.value()}).x == str(path)


@pytest.mark.parametrize("name", ["Qwen/Qwen3-VL-8B-Instruct", "Qwen/Qwen2.5-VL-7B-Instruct"])
@pytest.mark.parametrize("gpus", [1, 8])
def test_four_layers_fit_80_gb(name, gpus, tmp_path):
    hf_config(with_layers(model_shape(name), 4)).save_pretrained(tmp_path / "model")
    overrides = settings(tmp_path, tmp_path / "model", ON_GPUS, gpus)
    plan = plan_config(ON_GPUS.config, overrides, find_gpu("h100"), None)
    assert problems(plan) == []
    assert plan.run.prompts * plan.run.rollouts == 64 * gpus  # the paper's 512 on its 8
    assert plan.run.fused
    assert plan.parameters.total * 12 < 34 * GIB
