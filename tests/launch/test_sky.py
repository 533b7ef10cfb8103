"""recipes/launch/sky.yaml: its structure, and what each node would run. No cloud is here."""

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
TASK = yaml.safe_load((ROOT / "recipes" / "launch" / "sky.yaml").read_text())


def test_the_task():
    assert set(TASK) == {"name", "resources", "num_nodes", "workdir", "envs", "secrets", "setup", "run"}
    assert TASK["num_nodes"] == 2
    assert TASK["resources"]["accelerators"] == "H100:8"
    assert TASK["workdir"] == "."
    assert TASK["secrets"] == {"RAY_AUTH_TOKEN": None}
    assert all(isinstance(value, str) for value in TASK["envs"].values())


def test_the_setup_is_sound_bash():
    subprocess.run(["bash", "-n"], input=TASK["setup"], text=True, check=True)


@pytest.mark.parametrize("rank", [0, 1])
def test_each_nodes_commands(environment, tmp_path, rank):
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()
    variables = environment(
        **TASK["envs"] | {"DRY_RUN": "1"},
        SKYPILOT_NODE_RANK=rank,
        SKYPILOT_NODE_IPS="10.0.0.1\n10.0.0.2",
        SKYPILOT_NUM_NODES=2,
        SKYPILOT_NUM_GPUS_PER_NODE=8,
    )
    finished = subprocess.run(
        ["bash", "-c", TASK["run"]], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
    )
    lines = [shlex.split(line) for line in finished.stdout.splitlines() if not line.startswith("#")]
    address = ["--node-ip-address", f"10.0.0.{rank + 1}"]
    if rank:
        start = ["ray", "start", "--block", "--address", "10.0.0.1:6379", "--num-gpus", "8"]
        assert lines == [[*start, *address]]
        return
    head, _, wait, doctor, run = lines
    assert head[:3] == ["ray", "start", "--head"]
    assert [*address, "--port", "6379", "--num-gpus", "8"] == head[-6:]
    assert wait[2:] == ["2", "600", "10.0.0.1", "10.0.0.2"]
    assert doctor[-4:] == ["--data-root", "/data/videos", "--run", TASK["envs"]["RUN"]]
    assert run == ["bash", "-c", TASK["envs"]["COMMAND"]]
