"""Without VERL_PLATFORM=cpu nothing of the CPU platform is there, but the fixes are."""

import ast
import os
import subprocess
import sys

import pytest

_REPORT = """
import importlib.metadata, sys
import verl, videossr_verl.vllm_plugin
videossr_verl.vllm_plugin.register()
import torch.distributed
from verl.plugin.platform.platform_manager import PlatformRegistry
from verl.utils import hf_processor
from verl.utils.tensordict_utils import maybe_fix_3d_position_ids
print({
    "modules": sorted(m for m in sys.modules if m.startswith("videossr_verl.patches.cpu")),
    "platform": "cpu" in PlatformRegistry.registered_names(),
    "gloo": hasattr(torch.distributed.init_process_group, "stock"),
    "version": hasattr(importlib.metadata.version, "stock"),
    "fixes": hasattr(hf_processor, "stock") and hasattr(maybe_fix_3d_position_ids, "stock"),
    "vllm imported": "vllm" in sys.modules,
})
"""


def _report(platform):
    env = {k: v for k, v in os.environ.items() if k != "VERL_PLATFORM"}
    if platform:
        env["VERL_PLATFORM"] = platform
    done = subprocess.run([sys.executable, "-c", _REPORT], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("platform", [None, "nvidia"])
def test_nothing_of_the_cpu_platform_without_the_variable(platform):
    assert _report(platform) == {
        "modules": [],
        "platform": False,
        "gloo": False,
        "version": False,
        "fixes": True,
        "vllm imported": False,
    }


def test_everything_with_the_variable():
    report = _report("cpu")
    assert "videossr_verl.patches.cpu.platform" in report["modules"]
    assert all(report[k] for k in ("platform", "gloo", "version", "fixes"))
