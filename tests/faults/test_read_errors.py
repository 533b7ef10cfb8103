"""What the machine fails to read is never taken for the video's content, nor for the end of it."""

import os
import sys

import campaign_read_errors
import pytest

from videossr_verl.errors import MachineError
from videossr_verl.video.frame_index import read_index
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.source_file import SourceFile, opening, read_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library")


def test_no_failed_read_changes_a_frame_or_a_verdict(tmp_path):
    """The first 12 reads of each of ten videos; at least half of all files need so many."""
    told = list(campaign_read_errors.run(tmp_path, 120, seed=0))
    assert len(told) == 120
    assert [what for what, survived in told if not survived] == []
    assert sum("error of the machine" in what for what, _ in told) >= 60


def test_a_file_that_changes_while_it_is_read_is_not_judged(tmp_path):
    path = tmp_path / "grows.bin"
    path.write_bytes(b"x" * 100)
    with pytest.raises(MachineError, match="changed while it was read"), SourceFile(str(path)) as file:
        assert file.read(10) == b"x" * 10
        path.write_bytes(b"x" * 50)
        assert file.read(100) == b"x" * 40
        assert file.read(100) == b""
    with pytest.raises(MachineError, match="changed while it was read"):
        for _ in read_all(str(path)):
            path.write_bytes(b"y" * 50)
            os.utime(path, (1, 1))


def test_an_error_within_the_body_gives_way_to_the_machines(tmp_path, kinds):
    path = tmp_path / "video.mp4"
    path.write_bytes(kinds["short.mp4"].read_bytes())
    with pytest.raises(MachineError), SourceFile(str(path)) as file:
        path.write_bytes(b"")
        file.read(10)
        raise VideoRejected("not_a_video", "what a demuxer would say")


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


def test_want_of_files_is_no_verdict(kinds):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(held) + 1, hard))
    try:
        with pytest.raises(MachineError, match="Too many open files"):
            while True:  # any hole among the open ones, too
                held.append(os.open("/dev/null", os.O_RDONLY)) if len(held) < 4096 and _is_room() else read_index(
                    str(kinds["short.mp4"])
                )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in held:
            os.close(one)


def _is_room() -> bool:
    try:
        os.close(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return False
    return True
