"""vLLM's model runner is V1 where nobody chose; by itself vLLM would take V2 wherever Triton works, as on GPUs."""

import os
import subprocess
import sys

import pytest

CONFIG = """
import sys
import vllm.config.vllm
vllm.config.vllm.HAS_TRITON = True  # as on a GPU
from vllm.engine.arg_utils import EngineArgs
engine = EngineArgs(model=sys.argv[1], max_model_len=512, enforce_eager=True)
print(engine.create_engine_config().use_v2_model_runner)
"""


@pytest.mark.parametrize(
    ("environment", "is_v2"),
    [
        ({}, "False"),
        ({"VLLM_USE_V2_MODEL_RUNNER": "1"}, "True"),
        ({"VLLM_PLUGINS": ""}, "True"),  # without this package; when it fails, vLLM takes V1 by itself
    ],
)
def test_the_runner(environment, is_v2, tiny_model):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VLLM_")}
    command = [sys.executable, "-c", CONFIG, str(tiny_model)]
    done = subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == is_v2
