"""recipes/launch/slurm.sh: what it would do, and its whole way with stand-ins for srun and scontrol.

The stand-ins run each step on this machine. Under Slurm itself it was run by hand (recipes/README.md).
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SLURM = ROOT / "recipes" / "launch" / "slurm.sh"
VENV = Path(sys.executable).parent.parent
SRUN = """#!/usr/bin/env bash
# As srun does: options, and variables of --export.
echo "$@" > "$TOLD"
while [[ $1 == --* ]]; do
    [[ $1 != --export=ALL,* ]] || export "${1#--export=ALL,}"
    shift
done
export RAY_START="--num-cpus 2" # the head has options that only a head takes
echo $$ > "$TOLD.pid"
exec "$@"
"""
SCONTROL = """#!/usr/bin/env bash
[ "$*" = "show hostnames n[1-2]" ] && printf 'n1\\nn2\\n'
"""
TWO = """
import ray
ray.init(log_to_driver=False)
print("nodes", len([n for n in ray.nodes() if n["Alive"]]), flush=True)
"""


@pytest.fixture
def in_a_job(environment, cluster, tmp_path):
    """Variables of a job on n1 and n2, whose srun and scontrol are stand-ins."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    job = {"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_CPUS_ON_NODE": 4, "TOLD": tmp_path / "told"}
    # The environment's activate puts its own programs first, so the stand-ins get in through an environment of theirs.
    (tools / "activate").write_text(f"export PATH={tools}:{VENV}/bin:$PATH")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "bin").symlink_to(tools)
    return environment(**cluster | job, VENV=tmp_path / "venv")


def test_a_dry_run(launch, tmp_path):
    command = ["bash", "recipes/grpo.sh", "/data/videos", "cluster=4x8"]
    variables = {"RUN": tmp_path, "NODES": 4, "VENV": VENV, "DRY_RUN": 1, "DATA_ROOT": "/data/videos"}
    finished = launch("slurm.sh", *command, cwd=ROOT, **variables)
    steps, _, head, supervised, wait, doctor, run = map(shlex.split, finished.stdout.splitlines())
    assert steps[:4] == ["srun", "--nodes=3", "--ntasks=3", "--nodelist=other1,other2,other3"]
    assert steps[-4:] == ["bash", "recipes/launch/ray.sh", "worker", "HEAD:6379"]
    assert head[:3] == ["ray", "start", "--head"]
    assert supervised[-4:] == run == command
    assert wait[2:] == ["4", "600", "first", "other1", "other2", "other3"]
    assert doctor[-4:] == ["--data-root", "/data/videos", "--run", str(tmp_path)]


def test_all_python_runs_in_a_container_that_is_named(launch, tmp_path):
    inside = f"env INSIDE=it PATH={VENV}/bin:{os.environ['PATH']}"  # stands in for apptainer exec
    variables = {"RUN": tmp_path, "NODES": 2, "INSIDE": inside, "DRY_RUN": 1, "PATH": "/usr/bin:/bin"}
    finished = launch("slurm.sh", "true", cwd=ROOT, **variables)
    steps, _, head, *_ = map(shlex.split, finished.stdout.splitlines())
    assert steps[5:] == ["--export=ALL,IP=", f"--output={tmp_path}/logs/ray-%N.log", *inside.split(), *steps[-4:]]
    assert head[:3] == ["ray", "start", "--head"]


def test_one_node_has_no_steps(launch, tmp_path):
    finished = launch("slurm.sh", "true", cwd=ROOT, RUN=tmp_path, NODES=1, VENV=VENV, DRY_RUN=1)
    assert "srun" not in finished.stdout


def test_the_options_of_the_job():
    options = [line.split()[1] for line in SLURM.read_text().splitlines() if line.startswith("#SBATCH ")]
    assert {"--requeue", "--open-mode=append", "--signal=B:TERM@120", "--ntasks-per-node=1"} <= set(options)


@pytest.mark.parametrize(
    ("variables", "folder", "message"),
    [
        ({}, ROOT, "RUN is not set"),
        ({"RUN": "/tmp/x"}, ROOT / "recipes", "submit from the repository's folder"),
        ({"RUN": "/tmp/x", "VENV": "/no/venv"}, ROOT, "VENV='/no/venv' is no virtual environment"),
        ({"RUN": "/tmp/x", "VENV": VENV, "INSIDE": "env"}, ROOT, "VENV and INSIDE are both set"),
        ({"RUN": "/tmp/x", "VENV": VENV}, ROOT, "not in a Slurm job: submit this file with sbatch"),
    ],
)
def test_wrong_use(launch, variables, folder, message):
    finished = launch("slurm.sh", "true", cwd=folder, **variables)
    assert finished.returncode == 2
    assert message in finished.stderr


def submitted(environment, log, script, *command):
    with log.open("w") as file:
        return subprocess.Popen(["bash", script, *command], cwd=ROOT, env=environment, stdout=file, stderr=file)


def end_the_steps(environment, running, tmp_path, until):
    """What Slurm itself does when a job is over."""
    os.kill(int((tmp_path / "told.pid").read_text()), signal.SIGTERM)
    until(lambda: not running(environment["RAY_TMPDIR"]), 120)


def test_a_job_on_two_nodes(in_a_job, running, tmp_path, until):
    (tmp_path / "two.py").write_text(TWO)
    log = tmp_path / "job.log"
    copy = shutil.copy(SLURM, tmp_path)  # Slurm runs a copy
    job = submitted(in_a_job, log, copy, "python", str(tmp_path / "two.py"))
    assert job.wait(timeout=400) == 0, log.read_text()
    assert "nodes 2" in log.read_text().splitlines()
    step = (tmp_path / "told").read_text().split()
    assert step[:4] == ["--nodes=1", "--ntasks=1", "--nodelist=n2", "--cpus-per-task=4"]
    end_the_steps(in_a_job, running, tmp_path, until)


def test_a_signal_before_the_time_is_up(in_a_job, running, tmp_path, until):
    log = tmp_path / "job.log"
    job = submitted(in_a_job, log, str(SLURM), "sh", "-c", "echo begun; sleep 1000")
    until(lambda: "begun" in log.read_text().splitlines(), 300)
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=120) == 143
    assert "stopped by SIGTERM" in log.read_text()
    end_the_steps(in_a_job, running, tmp_path, until)
