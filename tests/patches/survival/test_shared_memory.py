"""Shared memory of dead processes goes, that of live ones and of others stays."""

import subprocess
import sys
import time
from multiprocessing.shared_memory import SharedMemory

import pytest

from videossr_verl.patches.survival import shared_memory
from videossr_verl.patches.survival.shared_memory import FOLDER, remove_abandoned

LEAVES = """
import os, signal
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
left = SharedMemory(create=True, size=100)
os.kill(resource_tracker._resource_tracker._pid, signal.SIGKILL)  # as Ray does with a worker's children
print(left.name, flush=True)
input()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def _old_enough(monkeypatch):
    monkeypatch.setattr(shared_memory, "AGE", 0.0)
    monkeypatch.setattr(shared_memory, "AGE_UNSEEN", 0.0)


def test_what_a_killed_process_leaves_goes_and_not_before():
    process = subprocess.Popen([sys.executable, "-c", LEAVES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    left = FOLDER / process.stdout.readline().strip()
    remove_abandoned()
    assert left.exists()
    process.communicate("\n")
    assert left.exists()
    remove_abandoned()
    assert not left.exists()


def test_one_that_is_closed_but_new_stays(monkeypatch):
    monkeypatch.setattr(shared_memory, "AGE", 60.0)
    monkeypatch.setattr(shared_memory, "AGE_UNSEEN", 60.0)
    memory = SharedMemory(create=True, size=100)
    memory.close()
    remove_abandoned()
    assert (FOLDER / memory.name).exists()
    memory.unlink()


@pytest.mark.parametrize("name", ["psm_mine", "sem.mp-1", "plasma_ab12", "torch"])
def test_other_names_stay(name):
    other = FOLDER / name
    other.touch()
    try:
        time.sleep(0.01)
        remove_abandoned()
        assert other.exists()
    finally:
        other.unlink()
