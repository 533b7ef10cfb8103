"""What a trial refuses before it starts anything, and what it tells of a GPU's run."""

import json
import subprocess
import sys
from collections import namedtuple

import pytest

from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory.gpus import GIB, find_gpu
from videossr_verl.preflight.memory.hf_config import hf_config
from videossr_verl.preflight.memory.plan_config import plan_config
from videossr_verl.preflight.memory.shapes import model_shape
from videossr_verl.tiny.shaped_model import with_layers
from videossr_verl.trial import try_machine
from videossr_verl.trial.settings import ON_GPUS, settings
from videossr_verl.trial.training import Training

WHOLE = model_shape("Qwen/Qwen3-VL-8B-Instruct")
TRIED = with_layers(WHOLE, 4)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def plan(tmp_path):
    hf_config(TRIED).save_pretrained(tmp_path / "model")
    return plan_config(ON_GPUS.config, settings(tmp_path, tmp_path / "model", ON_GPUS, 1), find_gpu("h100"), None)


@pytest.fixture
def ended(tmp_path):
    """Returns a run that has ended, with what verl's logger writes of two steps on a GPU."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    values = {
        "training/rollout_probs_diff_max": 0.03,
        "training/rollout_probs_diff_mean": 0.002,
        "actor/perf/max_memory_allocated_gb": 50.5,
        **{f"timing_s/{phase}": 2.0 for phase in ("gen", "old_log_prob", "ref", "update_actor", "update_weights")},
        "timing_s/step": 12.0,
    }
    lines = [json.dumps({"step": step, "data": values}) + "\n" for step in (1, 2)]
    (tmp_path / "first.jsonl").write_text("".join(lines))
    return Training(process, tmp_path / "first.log", tmp_path / "first.jsonl", gpu_peak=60 * GIB)


def test_another_ones_folder_is_not_cleared(tmp_path, capsys):
    (tmp_path / "mine").touch()
    assert main(["trial", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"videossr: '{tmp_path}' holds something else: give --out a new folder\n"
    assert (tmp_path / "mine").exists()


def test_without_a_gpu_it_says_how_to_rehearse(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("VERL_PLATFORM")
    assert main(["trial", "--out", str(tmp_path / "out")]) == 2
    assert "set VERL_PLATFORM=cpu to rehearse" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_disk_that_holds_no_checkpoint_is_told(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(try_machine.shutil, "disk_usage", lambda _: Usage(64 * GIB, 33 * GIB, 31 * GIB))
    with pytest.raises(BadInput, match="has 31 GiB free, and a checkpoint of this model takes 29: give --out"):
        try_machine._require_disk(tmp_path, plan)


def test_a_gpus_run_is_told_beside_its_plan(plan, ended):
    findings = {finding.name: finding for finding in try_machine._first(ended, True, 0, plan, TRIED, WHOLE)}
    assert all(finding.good is not False for finding in findings.values())
    share = plan.phases[2].total / GIB - 4  # vLLM asleep and CUDA's own take 2 each
    said = f"trainer 50.5 GiB (plan {share:.1f}), a whole GPU 60.0 (plan {plan.peak.total / GIB:.1f})"
    assert findings["memory"].text == said
    assert findings["videossr_8b.sh"].text.startswith("about ")
    assert findings["rollout-trainer gap"].text.startswith("probabilities of vLLM and trainer differ by 0.002 on")


def test_a_run_that_broke_names_its_log(plan, ended):
    ended.metrics.write_text("")
    (finding,) = try_machine._first(ended, False, 1, plan, TRIED, WHOLE)
    assert (finding.good, finding.text) == (False, f"it ended with code 1; see {ended.log}")
