"""Tests of the lmms-eval side, in the environment of recipes/setup_lmms.sh (tests/run.sh runs them there)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_preprocess.build import BuildSettings
from data_preprocess.viubench import BenchmarkSettings, build_viubench
from videossr_verl.evaluate.lmms.benchmarks import task_folder
from videossr_verl.tiny.generated_videos import generate_videos


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Four generated videos of 40 seconds, long enough for every task."""
    folder = tmp_path_factory.mktemp("benchmark videos")
    return generate_videos(folder, 4, seed=5, seconds=40)


@pytest.fixture(scope="session")
def viubench(videos, tmp_path_factory):
    """A VIUBench of 2 questions a subtype, with masked video prediction beside it."""
    out = tmp_path_factory.mktemp("viubench") / "out"
    how = BuildSettings(sources=(str(videos[0].parent),), out=str(out), embedding="built_in")
    build_viubench(BenchmarkSettings(how, samples=2, mvp=True))
    return out


@pytest.fixture(scope="session")
def lmms_eval(tiny_model, tmp_path_factory):
    """(task, out, model="videossr", environment, **model arguments) -> the finished process of the real lmms-eval."""

    def run(task, out, model="videossr", environment=None, **arguments):
        arguments = {"pretrained": str(tiny_model), **arguments}
        command = [sys.executable, "-m", "lmms_eval", "--model", model, "--tasks", task, "--log_samples"]
        command += ["--model_args", ",".join(f"{k}={v}" for k, v in arguments.items())]
        command += ["--include_path", str(task_folder()), "--output_path", str(out), "--verbosity", "DEBUG"]
        home = tmp_path_factory.mktemp("hf")
        env = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
        return subprocess.run(command, env=env | (environment or {}), capture_output=True, text=True, timeout=600)

    return run


@pytest.fixture(scope="session")
def results():
    """(folder of a run) -> (results by task, samples of its tasks)."""

    def read(out):
        (file,) = Path(out).rglob("*_results.json")
        stamp = file.name.removesuffix("_results.json")
        files = sorted(file.parent.glob(f"{stamp}_samples_*.jsonl"))
        return json.loads(file.read_text())["results"], [
            json.loads(x) for f in files for x in f.read_text().splitlines()
        ]

    return read
