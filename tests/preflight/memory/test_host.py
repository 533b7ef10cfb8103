"""Host memory of a node: told, or this machine's, and judged."""

import argparse

import pytest

from videossr_verl.cli import plan as command
from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory import host
from videossr_verl.preflight.memory.gpus import GIB
from videossr_verl.preflight.memory.remedies import find_remedy
from videossr_verl.preflight.memory.report import summary
from videossr_verl.preflight.memory.verdict import notes, problems


def test_a_node_that_cannot_hold_what_waits_there(plan_of, planned_again):
    """Weights, gradients and Adam's moments of 73.4 B parameters in fp32, and the reference's weights."""
    plan = plan_of("qwen2_5_vl_72b")
    assert plan.host.lasting == pytest.approx(20 * 73_410_777_344 + plan.host.media, rel=1e-6)
    assert problems(plan) == []
    assert summary(plan).endswith("on nodes with more than 1,372 GiB of memory")
    small = planned_again(plan, node_memory=1024 * GIB)
    (wrong,) = problems(small)
    assert wrong.startswith("a node has 1024.0 GiB of its own memory and needs 1371.9 GiB, most of it for actor 1093.9")
    assert find_remedy(small) == "cluster=2x8"
    tight = planned_again(plan, node_memory=1400 * GIB)
    assert problems(tight) == []
    assert notes(tight) == ["tight: 98% of a node's memory, without Ray, Python and the page cache"]
    assert summary(tight).endswith("and 98% of a node's memory")


def test_a_node_that_cannot_read_the_checkpoint(plan_of, planned_again):
    """With tied embeddings each of the 8 ranks reads all of it."""
    plan = planned_again(plan_of("qwen3_vl_4b"), node_memory=100 * GIB)
    assert plan.host.loading == pytest.approx((8 + 1) * 4 * 4_437_815_808, rel=1e-6)
    (wrong,) = problems(plan)
    assert wrong == "a node has 100.0 GiB of its own memory and needs 148.8 GiB, while the checkpoint is read"


def test_memory_that_is_told_or_found(tmp_path, monkeypatch):
    assert host.node_memory("1.5", here=True) == 1.5 * GIB
    assert host.node_memory(None, here=False) is None
    monkeypatch.setattr(host, "_CONTAINER", tmp_path / "memory.max")
    whole = host.node_memory(None, here=True)
    assert whole > GIB / 2
    for limit, found in (("max\n", whole), ("1073741\n", 1073741), (f"{2 * whole}\n", whole)):
        (tmp_path / "memory.max").write_text(limit)
        assert host.node_memory(None, here=True) == found


@pytest.mark.parametrize("asked", ["much", "", "0", "-3", "inf", "nan"])
def test_wrong_memory(asked):
    with pytest.raises(BadInput, match=f"--host-memory is '{asked}', must be a node's memory in GiB"):
        host.node_memory(asked, here=True)


@pytest.mark.parametrize(("asked", "judged"), [([], True), (["--gpu", "h200"], False)])
def test_this_machine_is_judged_where_its_gpus_are(tmp_path, monkeypatch, capsys, asked, judged):
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771, 600'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(host, "_this_machines", lambda: 4000 * GIB)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    model = "actor_rollout_ref.model.path=Qwen/Qwen3-VL-8B-Instruct"
    command.run(parser.parse_args([*asked, model]))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith("and 2% of a node's memory") == judged
    assert ("NVIDIA H200" in last) == judged
