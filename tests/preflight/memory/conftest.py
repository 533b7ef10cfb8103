"""A plan of the choices of train/config, as grpo.sh would ask for it; tests import `known_models` by name."""

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from videossr_verl.preflight.memory.estimate import make_plan
from videossr_verl.preflight.memory.gpus import find_gpu
from videossr_verl.preflight.memory.prompts import prompts_of_preset
from videossr_verl.preflight.memory.run_settings import compose_config, read_settings
from videossr_verl.preflight.memory.shapes import model_shape

sys.path.insert(0, str(Path(__file__).parent))


@cache
def config_of(model="qwen3_vl_8b", cluster="1x8", *overrides):
    choices = (f"base_model={model}", "dataset=videossr", f"cluster={cluster}")
    return compose_config("videossr_grpo", choices + overrides)


@cache
def settings_of(*choices):
    return read_settings(config_of(*choices))


@pytest.fixture(scope="session")
def config():
    return config_of()


@pytest.fixture(scope="session")
def plan_of():
    def plan(model="qwen3_vl_8b", cluster="1x8", gpu="h100", *overrides):
        run = settings_of(model, cluster, *overrides)
        shape = model_shape(run.model)
        return make_plan(run, shape, prompts_of_preset("videossr", shape), find_gpu(gpu))

    return plan


@pytest.fixture(scope="session")
def planned_again():
    """(plan, node_memory=..., **changed settings) -> the plan of a run that differs so, without composing it anew."""

    def again(plan, node_memory=None, **changes):
        return make_plan(replace(plan.run, **changes), plan.shape, plan.prompts, plan.gpu, node_memory)

    return again
