"""A plan of recipes/config's choices, as grpo.sh would ask for it."""

from functools import cache
from pathlib import Path

import pytest

from videossr_verl.plan.estimate import make_plan
from videossr_verl.plan.gpus import find_gpu
from videossr_verl.plan.prompts import prompts_of_preset
from videossr_verl.plan.run_settings import compose_config, read_settings
from videossr_verl.plan.shapes import model_shape

CONFIG = Path(__file__).parent.parent.parent / "recipes" / "config"


@cache
def settings_of(model, cluster, data, overrides):
    choices = (f"+base_model={model}", f"+dataset={data}", f"+cluster={cluster}")
    return read_settings(compose_config(str(CONFIG), "videossr_grpo", choices + overrides))


@pytest.fixture(scope="session")
def plan_of():
    def plan(model="qwen3_vl_8b", cluster="1x8", gpu="h100", *overrides, data="videossr"):
        run = settings_of(model, cluster, data, overrides)
        shape = model_shape(run.model)
        return make_plan(run, shape, prompts_of_preset(data, shape), find_gpu(gpu))

    return plan
