"""The benchmarks that the README quotes run, on few rounds and rows; their figures are not judged here."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        (
            ["media.py", "--rollouts", "2", "--rounds", "1"],
            ["| 2 | CPU s |", "| 2 | MB in flight |", "| 2 | MB of pixels |"],
        ),
        (["startup.py", "--rows", "50"], ["| CPU s |", "| wall s |"]),
    ],
)
def test_it_prints_its_table(command, lines):
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / command[0]), *command[1:]], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr[-2000:]
    for line in lines:
        assert line in run.stdout
