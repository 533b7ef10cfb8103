"""recipes/launch/ray.sh: what it would do, and a head with a worker on this machine."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

RAY = Path(__file__).parent.parent.parent / "recipes" / "launch" / "ray.sh"
ON_BOTH = """
import os, ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
ray.init(log_to_driver=False)
def seen():
    return os.environ.get("NODE"), os.environ.get("VLLM_PASSED"), os.environ.get("VLLM_API_KEY")
seen = ray.remote(num_cpus=0)(seen)
on = [seen.options(scheduling_strategy=On(n["NodeID"], soft=False)) for n in ray.nodes() if n["Alive"]]
print("seen", sorted(ray.get([task.remote() for task in on])), flush=True)
"""
KILLED_AT_FIRST = """
import signal
@ray.remote(num_cpus=1)
class Controller:
    def ready(self):
        return True
named = Controller.options(name="TransferQueueController", namespace="transfer_queue").remote()
print("mine", ray.get(named.ready.remote()), flush=True)
if not os.path.exists(os.environ["RUN"] + "/once"):
    open(os.environ["RUN"] + "/once", "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
"""


WORKER = {"NODE": "second", "RAY_START": "--num-cpus 2"}


def start(environment, output, *arguments, **variables):
    command = ["bash", str(RAY), *map(str, arguments)]
    with output.open("w") as file:
        return subprocess.Popen(command, env=environment(**variables), stdout=file, stderr=subprocess.STDOUT)


def test_a_dry_run_of_the_head(launch, tmp_path):
    command = ["bash", "recipes/grpo.sh", "/data/my videos", "cluster=2x8"]
    variables = {"RUN": tmp_path, "NODES": 2, "IP": "10.0.0.1", "HOSTS": "a b", "RAY_START": "--num-gpus 8"}
    finished = launch("ray.sh", "head", *command, DATA_ROOT="/data/my videos", DRY_RUN=1, **variables)
    hint, *lines = finished.stdout.splitlines()
    assert hint.startswith("# on each of the other 1 nodes: RUN=")
    assert hint.endswith("ray.sh worker 10.0.0.1:6379")
    head, supervised, wait, doctor, run = map(shlex.split, lines)
    assert head[:4] == ["ray", "start", "--head", "--block"]
    assert head[-6:] == ["--node-ip-address", "10.0.0.1", "--port", "6379", "--num-gpus", "8"]
    assert [Path(word).name for word in supervised[:5]] == ["bash", "supervise.sh", "bash", "ray.sh", "run"]
    assert supervised[5:] == run == command
    assert wait[2:] == ["2", "600", "a", "b"]
    assert doctor[:4] == ["videossr", "doctor", "--cluster", "10.0.0.1:6379"]
    assert doctor[4:] == ["--data-root", "/data/my videos", "--run", str(tmp_path)]
    assert not list(tmp_path.iterdir())


def test_a_dry_run_of_a_worker(launch):
    finished = launch("ray.sh", "worker", "10.0.0.1", DRY_RUN=1, IP="10.0.0.2")
    assert shlex.split(finished.stdout) == [
        *("ray", "start", "--block", "--address", "10.0.0.1:6379", "--node-ip-address", "10.0.0.2")
    ]


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["start"], {}, "unknown verb 'start': give head, worker or run"),
        (["head", "true"], {}, "RUN is not set"),
        (["head", "true"], {"NODES": "two"}, "NODES='two' is not a number"),
        (["worker"], {}, "give the head's address"),
        (["worker", "127.0.0.1:1"], {"WAIT_NODES": 0}, "no head answers at 127.0.0.1:1 after 0 s"),
        (["run"], {}, "give the command to run"),
    ],
)
def test_wrong_use(launch, arguments, variables, message):
    finished = launch("ray.sh", *arguments, **variables)
    assert finished.returncode == 2
    assert message in finished.stderr


def test_a_cluster_that_does_not_answer_is_asked_again_later(launch):
    finished = launch("ray.sh", "run", "true", RAY_ADDRESS="127.0.0.1:1", WAIT_NODES=0)
    assert finished.returncode == os.EX_TEMPFAIL
    assert "no Ray cluster answers at '127.0.0.1:1'" in finished.stderr


def test_a_port_in_use(launch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        finished = launch("ray.sh", "head", "true", RUN=tmp_path, IP="127.0.0.1", PORT=port)
    assert finished.returncode == 2
    assert f"port {port} is in use on 127.0.0.1" in finished.stderr


def test_a_command_on_two_nodes(environment, cluster, running, tmp_path, until):
    """The worker is there first; the command is killed once and finds nothing of its first start; nothing is left."""
    (tmp_path / "both.py").write_text(ON_BOTH + KILLED_AT_FIRST)
    head, worker = tmp_path / "head.log", tmp_path / "worker.log"
    second = start(environment, worker, "worker", "127.0.0.1", **cluster | WORKER)
    variables = {"NODE": "first", "NODES": 2, "IP": "127.0.0.1", "VLLM_PASSED": "on", "VLLM_API_KEY": "hidden"}
    first = start(environment, head, "head", "python", tmp_path / "both.py", **cluster | variables)
    try:
        assert first.wait(timeout=400) == 0, head.read_text() + worker.read_text()
        said = head.read_text()
        # Each node's own variables stay, except those that the head passes; a secret is not passed.
        assert said.count("seen [('first', 'on', 'hidden'), ('second', 'on', None)]") == 2
        assert said.count("\nmine True") == 2
        assert said.count("2 of 2 nodes are there") == 2
        assert "killed by SIGKILL" in said
        assert "finished after 1 restarts" in said
        assert oct((tmp_path / "run" / "ray_token").stat().st_mode)[-3:] == "600"
    finally:
        first.terminate()
        second.terminate()
    assert second.wait(timeout=120) == 0
    until(lambda: not running(cluster["RAY_TMPDIR"]))


def test_what_a_start_waits_for_is_named(environment, launch, cluster, running, tmp_path, until):
    """A node that does not come, and memory of a GPU that somebody holds; nvidia-smi is a stand-in."""
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\ncat {tmp_path}/used\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    (tmp_path / "used").write_text("0, 4\n1, 63488\n")
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    head = start(environment, tmp_path / "head.log", "head", IP="127.0.0.1", PATH=path, **cluster)
    try:
        until(lambda: "Ray runtime started" in (tmp_path / "head.log").read_text(), 240)
        variables = cluster | {"RAY_ADDRESS": f"127.0.0.1:{cluster['PORT']}", "WAIT_NODES": 5}
        finished = launch("ray.sh", "run", "true", NODES=2, HOSTS=f"{socket.gethostname()} absent", **variables)
        assert finished.returncode == os.EX_TEMPFAIL
        assert "1 of 2 nodes are there, missing: absent after 5 s" in finished.stderr
        finished = launch("ray.sh", "run", "true", NODES=1, **variables)
        assert finished.returncode == os.EX_TEMPFAIL
        assert (
            "1 of 1 nodes are there; an earlier run or somebody else still holds 62 GiB of GPU 1 on" in finished.stderr
        )
        (tmp_path / "used").write_text("0, 4\n1, 4\n")
        assert launch("ray.sh", "run", "true", NODES=1, **variables).returncode == 0
    finally:
        head.terminate()
    head.wait(timeout=120)
    until(lambda: not running(cluster["RAY_TMPDIR"]))


def test_a_signal_ends_head_and_command(environment, cluster, running, tmp_path, until):
    first = start(environment, tmp_path / "head.log", "head", "sleep", "1000", IP="127.0.0.1", **cluster)
    until(lambda: b"sleep\x001000\x00" in running(cluster["RAY_TMPDIR"]), 240)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=120) == 143
    assert "stopped by SIGTERM" in (tmp_path / "head.log").read_text()
    until(lambda: not running(cluster["RAY_TMPDIR"]))
