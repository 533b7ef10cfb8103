"""A recipe that is told to end takes its processes with it, waits for them, and says by which signal."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

RECIPES = Path(__file__).parent.parent.parent / "recipes"
SLOW = "import sys, time; print('started', flush=True); time.sleep(60)"


@pytest.fixture
def start():
    """(lines of a script) -> its process, with `run`, and `slow`, which takes a minute."""
    processes = []

    def go(script):
        head = f"set -euo pipefail\nsource '{RECIPES}/run.sh'\nslow() {{ '{sys.executable}' -c \"{SLOW}\"; }}\n"
        command = ["bash", "-c", head + script]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return processes[-1]

    yield go
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("command", ["slow", "pipeline"])
def test_a_signal_ends_all_of_it(number, command, start):
    recipe = start(f"pipeline() {{ slow | cat; }}\nrun {command}\necho not reached")
    assert recipe.stdout.readline() == "started\n"
    children = psutil.Process(recipe.pid).children(recursive=True)
    assert children
    recipe.send_signal(number)
    assert recipe.communicate(timeout=30)[0] == ""
    assert recipe.returncode == 128 + number
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_the_code_of_what_failed_is_the_recipes(start):
    recipe = start("fails() { echo started | (cat; exit 7); }\nrun true\nrun fails\necho not reached")
    assert recipe.communicate(timeout=30)[0] == "started\n"
    assert recipe.returncode == 7


def test_what_failed_can_be_borne(start):
    recipe = start("run false || echo borne")
    assert recipe.communicate(timeout=30)[0] == "borne\n"
    assert recipe.returncode == 0
