"""vLLM's model runner is V1 where nobody chose; by itself vLLM would take V2 wherever Triton works, as on GPUs."""

import json
import os
import subprocess
import sys

import pytest

# The imports take longest, so each environment gets a copy of a process that has done them.
CONFIG = """
import json, os, sys
import vllm.config.vllm
vllm.config.vllm.HAS_TRITON = True  # as on a GPU
from vllm.engine.arg_utils import EngineArgs
for environment in json.loads(sys.argv[2]):
    if os.fork():
        os.wait()
        continue
    os.environ |= environment
    engine = EngineArgs(model=sys.argv[1], max_model_len=512, enforce_eager=True)
    print("\\nV2:", engine.create_engine_config().use_v2_model_runner, flush=True)
    os._exit(0)
"""
RUNNERS = [
    ({}, "False"),
    ({"VLLM_USE_V2_MODEL_RUNNER": "1"}, "True"),
    ({"VLLM_PLUGINS": ""}, "True"),  # without this package; when it fails, vLLM takes V1 by itself
]


@pytest.fixture(scope="module")
def are_v2(tiny_model):
    """What vLLM says in each environment of RUNNERS."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VLLM_")}
    command = [sys.executable, "-c", CONFIG, str(tiny_model), json.dumps([changes for changes, _ in RUNNERS])]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, check=True)
    said = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("V2:")]
    assert len(said) == len(RUNNERS), done.stderr[-3000:]
    return said


@pytest.mark.parametrize("number", range(len(RUNNERS)), ids=[str(changes) for changes, _ in RUNNERS])
def test_the_runner(number, are_v2):
    assert are_v2[number] == RUNNERS[number][1]
