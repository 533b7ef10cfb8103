"""Fused kernels under FSDP2 give the output layer the gradient that the plain forward gives it; verl's own do not."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "fused_gradients.py"


def run(which):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(SCRIPT), which]
    environment = os.environ | {"VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def test_the_gradient_is_the_mean_of_all_ranks():
    finished = run("fixed")
    assert finished.stdout.count("SAME") == 2, finished.stderr[-3000:]


def test_verl_still_needs_it():
    assert "AssertionError: torch.float32" in run("stock").stderr
