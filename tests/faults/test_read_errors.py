"""What the machine fails to read is never taken for the video's content, nor for the end of it."""

import os
import subprocess
import sys

import campaign_read_errors
import pytest

from videossr_verl.errors import MachineError
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.source_file import SourceFile, opening, read_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library")


def test_no_failed_read_changes_a_frame_or_a_verdict(tmp_path):
    """The first 12 reads of each of ten videos; at least half of all files need so many."""
    outcomes = list(campaign_read_errors.run(tmp_path, 120, seed=0))
    assert len(outcomes) == 120
    assert [what for what, survived in outcomes if not survived] == []
    assert sum("error of the machine" in what for what, _ in outcomes) >= 60


def test_a_file_that_changes_while_it_is_read_is_not_judged(tmp_path):
    path = tmp_path / "shrinks.bin"

    def read_while_it_shrinks():
        with SourceFile(str(path)) as file:
            assert file.read(10) == b"x" * 10
            path.write_bytes(b"x" * 50)
            assert file.read(100) == b"x" * 40
            assert file.read(100) == b""

    def read_while_it_is_written_anew():
        for _ in read_all(str(path)):
            path.write_bytes(b"y" * 100)
            os.utime(path, (1, 1))

    for read in (read_while_it_shrinks, read_while_it_is_written_anew):
        path.write_bytes(b"x" * 100)
        with pytest.raises(MachineError, match="changed while it was read"):
            read()


def test_what_a_demuxer_says_of_a_file_that_could_not_be_read_does_not_count(tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(b"x" * 100)

    def judge():
        with SourceFile(str(path)) as file:
            path.write_bytes(b"")
            file.read(10)
            raise VideoRejected("not_a_video", "it is empty")

    with pytest.raises(MachineError):
        judge()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file"), "missing"),
        (PermissionError(13, "Permission denied"), "unreadable"),
        (ValueError("embedded null byte"), "unreadable"),
        (OSError(5, "Input/output error"), None),
        (OSError(24, "Too many open files"), None),
        (OSError(116, "Stale file handle"), None),
    ],
)
def test_only_what_a_file_is_rejects_it(error, reason):
    with pytest.raises((VideoRejected, MachineError)) as caught, opening("a.mp4"):
        raise error
    assert getattr(caught.value, "reason", None) == reason


def test_want_of_open_files_is_no_verdict(kinds):
    """With none left, and with one to four left."""
    code = (
        "import os, resource, sys\n"
        "from videossr_verl.errors import MachineError\n"
        "from videossr_verl.video.probe import probe\n"
        "probe(sys.argv[2])\n"  # what is imported late
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "held = []\n"
        "try:\n"
        "    while True: held.append(os.open('/dev/null', 0))\n"
        "except OSError: pass\n"
        "for _ in range(5):\n"
        "    try: print('used', len(probe(sys.argv[1]).pts))\n"
        "    except MachineError as error: print('machine', 'Too many open files' in str(error))\n"
        "    os.close(held.pop())\n"
    )
    command = [sys.executable, "-c", code, str(kinds["short.mp4"]), str(kinds["one_frame.mp4"])]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0] == "machine True"
    assert set(lines) == {"machine True", "used 10"}
