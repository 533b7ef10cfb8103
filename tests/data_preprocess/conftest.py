"""Functions that misbehave in worker processes."""

import sys

import pytest

WORKER_FUNCTIONS = """
import os, signal, time
from data_preprocess.probe_corpus import probe_one

def misbehave(kind, folder):
    with open(os.path.join(folder, kind), "a") as log:
        log.write("x")
    if kind == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "hang":
        time.sleep(600)
    if kind == "raise":
        raise KeyError("unexpected")
    if kind == "killed once" and os.path.getsize(os.path.join(folder, kind)) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return kind.upper()

def probe_or_crash(path, video):
    if "001" in video:
        os.kill(os.getpid(), signal.SIGSEGV)
    return probe_one(path, video)
"""


@pytest.fixture
def worker_functions(tmp_path, monkeypatch):
    """A module that worker processes can import too."""
    (tmp_path / "videossr_test_workers.py").write_text(WORKER_FUNCTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    import videossr_test_workers

    yield videossr_test_workers
    del sys.modules["videossr_test_workers"]
