"""Every end of a command is one sentence and an exit code."""

import errno
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from videossr_verl.cli import main
from videossr_verl.endings import SIGNALS, end_well
from videossr_verl.errors import BadInput, MachineError


def raising(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (BadInput("count is 0"), 2, "count is 0"),
        (MachineError("the disk is gone"), 1, "the disk is gone"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "'out': No space left on device; mend that, and"),
        (OSError(errno.EROFS, "Read-only file system", "a.txt"), 1, "'a.txt': Read-only file system; mend that, and"),
        (MemoryError(), 1, "this machine has no memory left; the same command goes on from here"),
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on from here"),
    ],
)
def test_each_kind_of_end_has_its_code(error, code, sentence, capsys):
    assert end_well(raising(error), "out") == code
    said = capsys.readouterr().err
    assert said.startswith(f"videossr: {sentence}")
    assert said.count("\n") == 1


def test_an_error_of_ours_keeps_its_traceback():
    with pytest.raises(FileNotFoundError):
        end_well(raising(FileNotFoundError(errno.ENOENT, "No such file or directory", "a")))


@pytest.fixture
def no_handlers():
    """As in a new process: Ray, which other tests start in this one, leaves handlers behind."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler or signal.SIG_DFL)


@pytest.mark.usefixtures("no_handlers")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_and_then_means_what_it_meant(number, code, capsys):
    assert end_well(lambda: os.kill(os.getpid(), number)) == code
    assert capsys.readouterr().err == f"videossr: stopped by {number.name}; the same command goes on from here\n"
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_build_that_is_stopped_leaves_no_process_and_goes_on(corpus_folder, dataset_folder, tmp_path):
    """The bytes are those of a build that nobody stopped."""
    options = ["--preset", "videossr_tiny", "--count", "24", "--test-count", "6", "--test-share", "0.3"]
    command = ["build", str(corpus_folder), "--out", str(tmp_path / "out"), *options]
    running = [sys.executable, "-m", "videossr_verl.cli", *command, "--workers", "2"]
    build = subprocess.Popen(running, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("out/.build/*/*.json")):  # its workers have begun
        time.sleep(0.01)
    children = psutil.Process(build.pid).children(recursive=True)
    build.send_signal(signal.SIGTERM)
    assert build.communicate(timeout=60)[1].splitlines()[-1].startswith("videossr: stopped by SIGTERM")
    assert build.returncode == 143
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert main(command) == 0
    assert (tmp_path / "out" / "train.parquet").read_bytes() == (dataset_folder / "train.parquet").read_bytes()
