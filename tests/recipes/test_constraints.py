"""All pinned versions install together on Python 3.11 and 3.12; for GPUs they are the CPU's where CUDA allows it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def test_they_are_what_a_resolver_makes_of_those_proven_on_cpu():
    finished = subprocess.run(
        ["bash", str(ROOT / "constraints" / "resolve.sh"), "--check"],
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    if "ailed to fetch" in finished.stderr:
        pytest.skip(f"no package index: {finished.stderr[-300:]}")
    assert finished.returncode == 0, finished.stdout + finished.stderr
