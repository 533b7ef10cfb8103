"""Launchers, as processes of their own."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

LAUNCH = Path(__file__).parent.parent.parent / "recipes" / "launch"
OURS = ("RUN", "NODES", "HOSTS", "IP", "PORT", "VENV", "DATA_ROOT", "DRY_RUN", "SKIP_DOCTOR", "COMMAND")
OTHERS = ("RAY_", "SLURM_", "VERL_", "VLLM_", "NCCL_", "HF_HUB_", "TORCH_", "GLOO_")


@pytest.fixture(scope="session")
def environment():
    """(**changes) -> variables for a launcher: this environment's programs, and nothing that would steer it."""

    def make(**changes):
        kept = {k: v for k, v in os.environ.items() if k not in OURS and not k.startswith(OTHERS)}
        kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
        return kept | {k: str(v) for k, v in changes.items()}

    return make


@pytest.fixture(scope="session")
def launch(environment):
    """(script, *arguments, cwd=None, **variables) -> the finished process of a script of recipes/launch."""

    def run(script, *arguments, cwd=None, **variables):
        command = ["bash", str(LAUNCH / script), *map(str, arguments)]
        return subprocess.run(
            command, env=environment(**variables), cwd=cwd, capture_output=True, text=True, timeout=180
        )

    return run


@pytest.fixture(scope="session")
def until():
    """(condition, seconds=60) -> waits until it holds; fails where it does not."""

    def wait(condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.05)

    return wait


@pytest.fixture(scope="session")
def running():
    """(folder) -> command lines of the processes of a cluster that has this folder in its environment."""

    def find(folder):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if folder.encode() in (process / "environ").read_bytes() and int(process.name) != os.getpid():
                    found.append((process / "cmdline").read_bytes())
            except OSError:
                continue
        return found

    return find


@pytest.fixture
def cluster(two_free_ports, tmp_path):
    """Variables of a cluster of its own on this machine; a worker needs another RAY_START."""
    port, client = two_free_ports()
    folder = tempfile.mkdtemp(prefix="ray")  # short: Ray keeps sockets there
    yield {
        "RUN": tmp_path / "run",
        "PORT": port,
        "WAIT_NODES": 240,
        "RESTART_PAUSE": 0,
        "SKIP_DOCTOR": 1,
        "RAY_TMPDIR": folder,
        # Ray's other ports are free ones by themselves, these are not.
        "RAY_START": f"--num-cpus 2 --include-dashboard=false --ray-client-server-port {client}",
    }
    shutil.rmtree(folder, ignore_errors=True)
