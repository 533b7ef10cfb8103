"""Runs of the real stack: recipes and verl's own trainer in processes of their own."""

import json
import os
import subprocess
import sys
from itertools import chain, islice, repeat
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.trainer.ppo.utils import create_rl_sampler

ROOT = Path(__file__).parent.parent.parent
SMALL = (
    "data.train_batch_size=6",
    "data.val_max_samples=96",
    "actor_rollout_ref.actor.ppo_mini_batch_size=6",
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=48",
    "actor_rollout_ref.rollout.n=8",
    "trainer.test_freq=2",
    "trainer.save_freq=2",
)


@pytest.fixture(scope="session")
def environment():
    """Returns a function (**changes) -> variables of a run on CPU, with this environment's programs."""

    def make(**changes):
        # Ray and vLLM choose thread counts for themselves; pytest's own settings must not leak into them.
        kept = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS" and not k.startswith("VLLM_")}
        kept |= {"VERL_PLATFORM": "cpu", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
        kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
        return kept | {k: str(v) for k, v in changes.items()}

    return make


@pytest.fixture(scope="session")
def quickstart(environment):
    """Returns a function (run folder, *arguments, **environment) -> the finished process of
    recipes/quickstart_cpu.sh.
    """

    def run(folder, *arguments, **changes):
        command = ["bash", str(ROOT / "recipes" / "quickstart_cpu.sh"), *map(str, arguments)]
        return subprocess.run(
            command,
            env=environment(**{"RUN": folder, "STEPS": 2} | changes),
            capture_output=True,
            text=True,
            timeout=900,
        )

    return run


@pytest.fixture(scope="session")
def two_runs(quickstart, small, tmp_path_factory):
    """Runs the README's first command with two steps, the same again, and with two more. Returns the folder and what
    each run printed.

    Its difficulty adapts.
    """
    folder = tmp_path_factory.mktemp("a run")
    adaptive = ("data.adaptive.levels=videossr_tiny_levels", f"trainer.rollout_data_dir={folder}/rollouts")
    shown = []
    for steps in (2, 2, 4):
        finished = quickstart(folder, *small, *adaptive, STEPS=steps)
        assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
        shown.append(finished.stdout)
    return folder, *shown


# The check before a run costs ten seconds of each; the recipes' tests do it.
TRAIN = (sys.executable, "-m", "verl.trainer.main_ppo", "--config-name", "videossr_grpo_cpu", "data.parity=off")


@pytest.fixture(scope="session")
def train(environment):
    """Returns a function (folder to run in, *Hydra overrides, **environment) -> the finished process of verl's own
    entry point.
    """

    def run(folder, *overrides, **changes):
        env = environment(VERL_FILE_LOGGER_PATH=folder / "metrics.jsonl", **changes)
        return subprocess.run([*TRAIN, *overrides], cwd=folder, env=env, capture_output=True, text=True, timeout=900)

    return run


@pytest.fixture(scope="session")
def start_training(environment):
    """Works as `train`, but returns the process, for tests that look while it runs. Keywords go to the process."""

    def start(folder, *overrides, **how):
        env = environment(VERL_FILE_LOGGER_PATH=folder / "metrics.jsonl")
        return subprocess.Popen([*TRAIN, *overrides], cwd=folder, env=env, **how)

    return start


@pytest.fixture(scope="session")
def read_metrics():
    """Reads metrics files of verl's file logger as {step: {name: value}}."""

    def read(*files):
        records = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        merged = {}
        for record in records:
            merged.setdefault(record["step"], {}).update(record["data"])
        return merged

    return read


@pytest.fixture(scope="session")
def batches():
    """Returns a function (parquet file, rows a batch, number) -> the rows of that many steps, as verl's loader gives
    them from seed 1.
    """

    def read(file, size, number):
        rows = pq.read_table(file).to_pylist()
        sampler = create_rl_sampler(OmegaConf.create({"shuffle": True, "seed": 1}), rows)
        loader = StatefulDataLoader(rows, size, sampler=sampler, collate_fn=list, drop_last=True)
        return list(islice(chain.from_iterable(repeat(loader)), number))

    return read


@pytest.fixture(scope="session")
def small():
    """Returns overrides that make two steps cheap."""
    return SMALL
