"""One of two writers is refused, with the other's name; a dead one is in nobody's way."""

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from videossr_verl.errors import BadInput, MachineError
from videossr_verl.files import one_writer as module
from videossr_verl.files.one_writer import HOLDER, one_writer

HOLD = """
import sys, time
from pathlib import Path
from videossr_verl.files.one_writer import one_writer
with one_writer(Path(sys.argv[1]), "build"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds `tmp_path`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def no_flock(monkeypatch):
    """A disk without locks."""
    monkeypatch.setattr(module, "_lock", lambda handle: None)


@pytest.fixture
def quick(monkeypatch):
    """Another machine's writer is known to be dead after a second."""
    monkeypatch.setattr(module, "BEAT", 0.1)
    monkeypatch.setattr(module, "LIMIT", 1.0)
    monkeypatch.setattr(module, "LOOK", 0.05)
    monkeypatch.setattr(module, "SETTLE", 0.05)


def elsewhere(folder, **changes):
    """Rewrites the holder's file as if another machine had written it."""
    file = folder / HOLDER
    file.write_text(json.dumps(json.loads(file.read_text()) | {"machine": "other", "host": "node7"} | changes))


def test_the_second_one_is_told_who_the_first_is(holder, tmp_path):
    message = rf"^a build of \w+ on \S+, process {holder.pid}, since 2\S+ \S+ writes to "
    with pytest.raises(BadInput, match=message), one_writer(tmp_path, "videossr eval"):
        pass


def test_without_locks_it_is_told_too(holder, tmp_path, no_flock):
    with pytest.raises(BadInput, match=f"process {holder.pid}"), one_writer(tmp_path, "build"):
        pass


def test_a_killed_one_is_in_nobodys_way(holder, tmp_path, no_flock):
    holder.kill()
    holder.wait()
    began = time.monotonic()
    with one_writer(tmp_path, "build"):
        assert json.loads((tmp_path / HOLDER).read_text())["pid"] == os.getpid()
    assert time.monotonic() - began < 5
    assert not (tmp_path / HOLDER).exists()


def test_one_that_waits_comes_next(holder, tmp_path):
    holder.send_signal(signal.SIGINT)
    with one_writer(tmp_path, "training", patience=30):
        assert holder.wait() != 0


def test_a_forked_child_does_not_hold_its_parents_folder(tmp_path):
    """Data loaders fork, and may outlive a parent that was killed."""
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    with one_writer(tmp_path, "training"):
        child.start()
    try:
        with one_writer(tmp_path, "training"):
            assert child.is_alive()
    finally:
        child.kill()
        child.join()


@pytest.mark.parametrize("locks", [True, False])
def test_another_machine_sees_a_live_one_by_its_beats(tmp_path, quick, monkeypatch, locks):
    """Whether its disk has locks that reach over machines or not."""
    with one_writer(tmp_path, "training"):
        elsewhere(tmp_path)
        monkeypatch.setattr(module, "_lock", lambda handle: True if locks else None)
        monkeypatch.setattr(module.signal, "raise_signal", lambda _: None)  # of the one that was "taken over" here
        beating = subprocess.Popen(["sh", "-c", f"while sleep 0.1; do touch '{tmp_path / HOLDER}'; done"])
        try:
            with pytest.raises(BadInput, match="on node7, process"), one_writer(tmp_path, "training"):
                pass
        finally:
            beating.kill()
            beating.wait()


def test_a_dead_one_of_another_machine_is_in_the_way_for_the_limit_only(tmp_path, quick, no_flock):
    with ExitStack() as held:
        held.enter_context(one_writer(tmp_path, "training"))
        elsewhere(tmp_path)
        left = (tmp_path / HOLDER).read_text()
        held.pop_all()  # as if it had been killed
    (tmp_path / HOLDER).unlink()
    (tmp_path / HOLDER).write_text(left)
    began = time.monotonic()
    with one_writer(tmp_path, "training"):
        assert module.LIMIT <= time.monotonic() - began < module.LIMIT + 2


def test_a_file_that_says_nothing_is_nobodys(tmp_path):
    """Its writer was killed before it could."""
    (tmp_path / HOLDER).touch()
    with one_writer(tmp_path, "build"):
        pass


def test_a_process_that_stood_still_too_long_ends(tmp_path, quick, monkeypatch):
    ended = []
    monkeypatch.setattr(module.signal, "raise_signal", ended.append)
    with one_writer(tmp_path, "training"):
        elsewhere(tmp_path, token="theirs")
        until = time.monotonic() + 10
        while not ended and time.monotonic() < until:
            time.sleep(0.05)
    assert ended == [signal.SIGTERM]
    assert json.loads((tmp_path / HOLDER).read_text())["token"] == "theirs"


@pytest.mark.parametrize("place", ["file", "file/below", "x" * 300, "/proc/self/out"])
def test_a_place_for_no_folder(tmp_path, place):
    (tmp_path / "file").touch()
    message = r"^cannot write to the folder .*; give another$"
    with pytest.raises(BadInput, match=message), one_writer(tmp_path / place, "build"):
        pass


@pytest.mark.parametrize("size", [0, 5])
def test_a_disk_that_takes_only_a_part_of_the_holders_file_is_full(size, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        with pytest.raises(MachineError, match="File too large"), one_writer(tmp_path, "build"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with one_writer(tmp_path, "build"):
        assert (tmp_path / HOLDER).read_text()
