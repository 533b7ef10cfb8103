"""The recipe that tries a machine, whole, on CPU: videos, questions, a model, steps, a checkpoint, a resume, a kill."""

import json
import subprocess
from pathlib import Path

import pytest

RECIPE = Path(__file__).parent.parent.parent / "recipes" / "check_gpu.sh"
JUDGED = ("two steps, checkpoint", "rollout-trainer gap", "resume", "server killed")


@pytest.fixture(scope="module")
def tried(environment, tmp_path_factory):
    """Returns the trial's folder and the finished process."""
    out = tmp_path_factory.mktemp("a machine") / "it's tried"
    command = ["bash", str(RECIPE), "--out", str(out)]
    return out, subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=900)


def test_all_is_well_and_told_in_one_table(tried):
    out, finished = tried
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    findings = {finding["name"]: finding for finding in json.loads((out / "trial.json").read_text())}
    assert {name for name, finding in findings.items() if finding["good"]} == {*JUDGED}
    table = finished.stdout.rpartition("\n\nlogs and")[0].rpartition("\n\n")[2].splitlines()
    assert [line[:22].rstrip() for line in table] == [*findings]
    assert "decoding" in finished.stdout  # doctor's findings come first


def test_the_second_run_went_on_from_the_first_ones_checkpoint(tried):
    steps = [
        [record["step"] for record in map(json.loads, (tried[0] / f"{run}.jsonl").read_text().splitlines())]
        for run in ("first", "again")
    ]
    assert [*map(set, steps)] == [{1, 2}, {3}]


def test_a_run_names_the_server_that_was_killed(tried):
    said = (tried[0] / "again.log").read_text().splitlines()
    assert [line for line in said if line.startswith("videossr: ")][-1].startswith("videossr: vllm_server_0_0 died: ")


def test_weights_and_checkpoints_do_not_stay(tried):
    assert {path.name for path in tried[0].iterdir()} >= {"first.log", "again.log", "trial.json"}
    assert not (tried[0] / "steps").exists()
    assert not (tried[0] / "model").exists()
