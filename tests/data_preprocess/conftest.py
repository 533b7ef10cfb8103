"""Functions that misbehave in worker processes."""

import sys

import pytest

WORKER_FUNCTIONS = """
import errno, os, resource, signal, threading, time
from videossr_verl.video.probe_record import probe_one
from videossr_verl.video.probe_record import Failure

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
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "ends":
        os._exit(0)
    if kind == "killed as it sends" and os.path.getsize(os.path.join(folder, kind)) == 1:
        while not os.path.exists(os.path.join(folder, "nobody reads")):
            time.sleep(0.01)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return "x" * 10**6  # more than a pipe holds
    while kind == "after it" and not os.path.exists(os.path.join(folder, "killed as it sends")):
        time.sleep(0.01)  # the other job has begun
    if kind == "disk" or (kind == "disk once" and os.path.getsize(os.path.join(folder, kind)) == 1):
        raise OSError(errno.EIO, "Input/output error")
    if kind == "memory":
        resource.setrlimit(resource.RLIMIT_AS, (resource.getpagesize(),) * 2)
        bytearray(10**9)
    if kind == "other once" and os.path.getsize(os.path.join(folder, kind)) == 1:
        return Failure("not_a_video", "as it seemed")
    if kind == "bad":
        return Failure("not_a_video", "as it is")
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
