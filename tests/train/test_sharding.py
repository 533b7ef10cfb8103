"""A copy of the model in each node trains as one over all GPUs does, and gathers no weights over the network."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from videossr_verl.preflight.memory.network import plan_network
from videossr_verl.preflight.memory.parameters import count_parameters
from videossr_verl.preflight.memory.prompts import Prompt
from videossr_verl.preflight.memory.run_settings import MicroBatch, compose_config, read_settings
from videossr_verl.preflight.memory.shapes import model_shape

SCRIPT = Path(__file__).parent / "sharding_ranks.py"
TINY = "recipes/tiny/qwen2_5_vl"
FP32 = 4


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Returns what four ranks said, and did: with shards over all of them, and over the two of a node."""
    folder = tmp_path_factory.mktemp("shards")
    command = [sys.executable, SCRIPT, folder]
    environment = os.environ | {"VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout, [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("{")]


def test_updates_and_resumed_updates_are_the_same(ranks):
    """The ranks have compared all weights: of both ways, of a resumed run, of vLLM and of a saved model."""
    _, (over_all, in_a_node) = ranks
    assert in_a_node["norms"] == pytest.approx(over_all["norms"], rel=1e-5)
    first, second, resumed = in_a_node["norms"]
    assert first > second == resumed > 0.5  # clipped, so that a wrong norm would be another update
    parameters = count_parameters(model_shape(TINY)).total
    assert over_all["held"] == pytest.approx(parameters / 4, rel=0.01)
    assert in_a_node["held"] == pytest.approx(parameters / 2, rel=0.01)


def test_a_checkpoint_of_other_shards_does_not_load(ranks):
    said, _ = ranks
    assert said.count("REFUSED") == 4


@pytest.mark.parametrize(("of_a_copy", "gathers", "sums"), [(4, 3 / 4, 3 / 4), (2, 0, 1)])
def test_the_plan_tells_what_their_collectives_moved(ranks, of_a_copy, gathers, sums):
    """Two nodes of two: of a gather over four ranks a node gets three quarters. Where it has a whole copy, it gets
    as much as all gradients: half of them, and half of their sums.
    """
    _, found = ranks
    moved = found[0 if of_a_copy == 4 else 1]["bytes"]
    run = read_settings(compose_config("videossr_grpo", [f"actor_rollout_ref.model.path={TINY}"]))
    shape, two = model_shape(TINY), MicroBatch(2, None)
    # Three micro batches of two answers on each of four GPUs, without a reference.
    run = replace(run, nodes=2, gpus_per_node=2, prompts=6, rollouts=4, update=two, log_prob=two, compares=False)
    run = replace(run, actor=replace(run.actor, fsdp_size=of_a_copy, gathered=FP32))
    network = plan_network(run, shape, count_parameters(shape), Prompt(24, 8, 32, 0, 0))
    assert network.gathered == pytest.approx(gathers * moved[f"gather {of_a_copy}"], rel=1e-3)
    assert network.exported == pytest.approx(gathers * moved[f"export {of_a_copy}"], rel=1e-3)
    assert network.gradients == pytest.approx(sums * moved[f"reduce {of_a_copy}"], rel=1e-3)
    # Each rank adds its half of a copy to that of the other node's.
    assert moved.get("all-reduce", 0) == (0 if of_a_copy == 4 else moved["reduce 2"] / 2)
