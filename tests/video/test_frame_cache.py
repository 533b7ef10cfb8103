"""The same bytes as without it, never stale, bounded, and unharmed by other processes, crashes and bad disks."""

import logging
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from videossr_verl.video.decode import decode
from videossr_verl.video.frame_cache import ABANDONED, SUFFIX, FrameCache
from videossr_verl.video.rejected import VideoRejected

TIMES, SIZE = [0.0, 0.4, 0.8], (48, 64)
ONE = 3 * 48 * 64 * 3 + 4  # bytes of a file


def held(folder):
    return sorted(folder.glob(f"*/*{SUFFIX}"))


@pytest.fixture
def video(tmp_path, make_video):
    return make_video(tmp_path / "a.mp4", 40)


@pytest.fixture
def cache(tmp_path):
    return FrameCache(tmp_path / "cache", 1e9)


def test_hits_are_bit_equal_and_counted(video, cache, tmp_path):
    wanted = decode(video, TIMES, SIZE)
    for _ in range(3):
        assert np.array_equal(cache.frames(video, TIMES, SIZE), wanted)
    assert cache.counts == {"hit": 2, "miss": 1, "damaged": 0, "unwritable": 0}
    again = FrameCache(tmp_path / "cache", 1e9)  # another process, another epoch
    assert np.array_equal(again.frames(video, TIMES, SIZE), wanted)
    assert again.counts["hit"] == 1


def test_other_settings_are_other_frames(video, cache):
    requests = [(TIMES, SIZE), (TIMES[:2], SIZE), (TIMES, (24, 32)), ([0.0, 0.4, 0.84], SIZE), (TIMES[::-1], SIZE)]
    for times, size in requests * 2:
        assert np.array_equal(cache.frames(video, times, size), decode(video, times, size))
    assert cache.counts["miss"] == len(requests)


def test_a_changed_video_is_decoded_again(video, cache, tmp_path, make_video, read_number):
    before = cache.frames(video, TIMES, SIZE)
    other = make_video(tmp_path / "b.mp4", 60, fps=50)
    status = video.stat()
    shutil.copyfile(other, video)
    # What a careless copy keeps: name, time and even length.
    os.truncate(video, max(status.st_size, other.stat().st_size))
    os.utime(video, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = cache.frames(video, TIMES, SIZE)
    assert cache.counts["miss"] == 2
    assert [read_number(f) for f in before] == [0, 10, 20]
    assert [read_number(f) for f in after] == [0, 20, 40]


def test_copies_share_an_entry(video, cache, tmp_path):
    cache.frames(video, TIMES, SIZE)
    cache.frames(shutil.copy(video, tmp_path / "copy.mp4"), TIMES, SIZE)
    assert cache.counts["hit"] == 1
    assert len(held(tmp_path / "cache")) == 1


@pytest.mark.parametrize("harm", [lambda b: b[:100], lambda b: b"", lambda b: bytes(200) + b[200:]])
def test_a_damaged_file_is_made_again(video, cache, tmp_path, harm, caplog):
    wanted = cache.frames(video, TIMES, SIZE)
    (file,) = held(tmp_path / "cache")
    file.write_bytes(harm(file.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(cache.frames(video, TIMES, SIZE), wanted)
    assert "is damaged and is made again" in caplog.text
    assert cache.counts["damaged"] == 1
    assert np.array_equal(cache.frames(video, TIMES, SIZE), wanted)
    assert cache.counts["hit"] == 1


def test_bounded_and_the_longest_unused_go_first(video, tmp_path):
    cache = FrameCache(tmp_path / "cache", 3 * ONE)
    requests = [[i / 25, (i + 5) / 25, (i + 9) / 25] for i in range(5)]
    for i, times in enumerate(requests):
        cache.frames(video, times, SIZE)
        cache.frames(video, requests[0], SIZE)  # the first one stays in use
        for age, file in enumerate(sorted(held(tmp_path / "cache"), key=lambda f: f.stat().st_mtime_ns, reverse=True)):
            os.utime(file, (0, 1e6 * (i + 1) - age))  # clocks of file systems are coarse
        assert sum(f.stat().st_size for f in held(tmp_path / "cache")) <= 3 * ONE
    misses = cache.counts["miss"]
    assert misses == 5
    cache.frames(video, requests[0], SIZE)
    cache.frames(video, requests[1], SIZE)
    assert cache.counts["miss"] == misses + 1


def test_what_a_crash_left_is_removed(video, tmp_path):
    cache = FrameCache(tmp_path / "cache", 1e9)
    cache.frames(video, TIMES, SIZE)
    folder = held(tmp_path / "cache")[0].parent
    old, new = folder / "x.partial", folder / "y.partial"
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (0, time.time() - ABANDONED - 60))
    FrameCache(tmp_path / "cache", 1e9).frames(video, TIMES[:1], SIZE)  # its first file weighs the folder
    assert not old.exists()
    assert new.exists()


WRITER = """
import sys
import numpy as np
from videossr_verl.video.decode import decode
from videossr_verl.video.frame_cache import FrameCache
folder, video, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])
cache = FrameCache(folder, limit)
for _ in range(3):
    for i in range(6):
        times = [i / 25, (i + 5) / 25, (i + 9) / 25]
        assert np.array_equal(cache.frames(video, times, (48, 64)), decode(video, times, (48, 64)))
assert cache.counts["damaged"] == cache.counts["unwritable"] == 0, cache.counts
"""


def test_many_writers(video, tmp_path):
    """Three processes that ask for the same frames, in a folder that is too small for all of them."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "cache"), str(video), str(4 * ONE)]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(w.communicate()[1], w.returncode) for w in writers] == [("", 0)] * 3
    assert not list((tmp_path / "cache").glob("*/*.partial"))
    assert len(held(tmp_path / "cache")) <= 4


def test_a_disk_that_cannot_be_written_to_is_told_once(video, cache, tmp_path, caplog):
    for name in range(256):
        (tmp_path / "cache" / f"{name:02x}").touch()  # where the folders would be
    (tmp_path / "cache" / "lock").mkdir()
    with caplog.at_level(logging.WARNING):
        for times in (TIMES, TIMES[:2]):
            assert np.array_equal(cache.frames(video, times, SIZE), decode(video, times, SIZE))
    assert caplog.text.count("cannot be written to") == 1
    assert cache.counts["unwritable"] == 2


def test_errors_are_decodes_own(cache, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    for name in ("broken.mp4", "missing.mp4"):
        with pytest.raises(VideoRejected, match=name):
            cache.frames(tmp_path / name, TIMES, SIZE)
    assert not held(tmp_path / "cache")
