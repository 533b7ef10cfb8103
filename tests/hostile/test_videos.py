"""No video costs more than its limits, whatever it claims: not when probed, built from, or decoded in training."""

import json
import os
import subprocess
import sys

import pytest

from videossr_verl.video import container, frame_index
from videossr_verl.video.decode import decode
from videossr_verl.video.mp4_tables import check_tables
from videossr_verl.video.probe import content_id, probe
from videossr_verl.video.rejected import RejectReason, VideoRejected

MEMORY = 2**30  # bytes above what the process has before
SECONDS = 20.0  # for one file; measured: below one

# Every way to a file that training takes, in one process that may not grow; a line for each file.
ALL_WAYS = """
import json, resource, sys, time
from pathlib import Path
from videossr_verl.prompt.render import render
from videossr_verl.video.specs import VideoSpec
from videossr_verl.video.frame_index import read_index
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import probe
from videossr_verl.video.rejected import VideoRejected

def peak():  # not ru_maxrss: it begins with the peak of the process that started this one
    return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

def shown(path):
    times = (0.0, 0.2, 1.0, 2.0)
    spec = VideoSpec(path.name, times, times, 64, 48, 28 * 28, 64 * 64, "temporal_jigsaw")
    return render([spec], [], path.parent, 28)

before = peak()
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 4 * 2**30,) * 2)
for name in sys.argv[1:]:
    report = {"name": name}
    for way in (read_index, probe, shown):
        start = time.monotonic()
        try:
            way(Path(name))
            outcome = "used"
        except VideoRejected as error:
            outcome = error.reason.value
        report[way.__name__] = (outcome, round(time.monotonic() - start, 2), peak() - before)
    print(json.dumps(report), flush=True)
"""


def in_all_ways(paths):
    """name -> way -> (outcome, seconds, memory)."""
    command = [sys.executable, "-c", ALL_WAYS, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {os.path.basename(line.pop("name")): line for line in lines}


def test_hostile_videos_are_refused_within_memory_and_time(hostile_videos, odd_but_good):
    outcomes = in_all_ways([*hostile_videos.values(), *odd_but_good.values()])
    for name in odd_but_good:
        assert {outcome for outcome, _, _ in outcomes.pop(name).values()} == {"used"}, name
    assert list(outcomes) == list(hostile_videos)
    for name, ways in outcomes.items():
        for way, (outcome, seconds, memory) in ways.items():
            assert memory < MEMORY, (name, way, memory)
            assert seconds < SECONDS, (name, way)
            assert outcome != "used" or way != "shown", (name, way)
    reasons = {name: ways["shown"][0] for name, ways in outcomes.items()}
    assert reasons["a_billion_frames.mp4"] == reasons["many_edits.mp4"] == reasons["packed_header.mov"] == "too_large"
    assert reasons["h264_16000.mp4"] == reasons["a_terabyte_of_zeros.mp4"] == "too_large"
    assert reasons["pipe.mp4"] == "not_a_file"
    assert reasons["endless.mp4"] == "outside_data_root"
    assert reasons["grows.avi"] == "undecodable"


def test_a_build_lists_the_bad_ones_and_uses_all_good_ones(hostile_videos, corpus_folder, tmp_path):
    folder, good = tmp_path / "corpus", sorted(corpus_folder.glob("generated_*.mp4"))
    folder.mkdir()
    for video in [*hostile_videos.values(), *good]:
        os.link(video, folder / video.name, follow_symlinks=False)  # a copy of the zeros would fill the disk
    command = [sys.executable, "-m", "videossr_verl.cli", "build", str(folder), "--out", str(tmp_path / "out")]
    command += ["--preset", "videossr_tiny", "--count", "20", "--test-count", "4", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    whole = {line["video"]: line for line in lines if "task" not in line}
    assert set(whole) == set(hostile_videos)
    assert all(line["detail"].count("\n") == 0 for line in lines)
    assert "internal_error" not in {line["reason"] for line in lines}
    assert whole["endless.mp4"]["reason"] == "outside_data_root"
    used = json.loads((tmp_path / "out" / "dataset.json").read_text())["videos"]
    assert sum(used["used"].values()) == len(good) == 5


@pytest.mark.parametrize("way", [probe, lambda path: decode(path, [0.0, 1.0], (28, 28))])
def test_a_video_that_takes_too_long_is_given_up(kinds, monkeypatch, way):
    monkeypatch.setattr(container, "MAX_SECONDS", -1.0)
    monkeypatch.setattr(frame_index, "_indexes", frame_index._IndexCache())
    with pytest.raises(VideoRejected, match="is not read or decoded after") as caught:
        way(kinds["b_frames.mp4"])
    assert caught.value.reason is RejectReason.TIMEOUT


def test_lists_of_frames_are_forgotten_when_they_are_many(kinds, monkeypatch):
    monkeypatch.setattr(frame_index, "FRAMES_KEPT", 120)
    indexes = frame_index._IndexCache()
    for name in ("b_frames.mp4", "open_gops.mp4", "uneven.mp4", "short.mp4"):
        indexes.get(str(kinds[name]), 0, 0)
        assert sum(len(index.pts) for index in indexes._kept.values()) <= 120
    assert [len(index.pts) for index in indexes._kept.values()] == [80, 10]


def test_tables_of_real_files_are_few(kinds, real_clips):
    for path in [*kinds.values(), *real_clips.values()]:
        if path.suffix in (".mp4", ".mov"):
            check_tables(str(path), container.MAX_BLOCK)


def test_a_file_that_begins_like_no_mp4_is_not_opened_as_one(claims, tmp_path):
    """Its tables could not be looked at first."""
    path = tmp_path / "odd.mp4"
    path.write_bytes(b"\0\0\0\x08what" + claims.repeats(60))
    with pytest.raises(VideoRejected) as caught:
        probe(path)
    assert caught.value.reason is RejectReason.NOT_A_VIDEO


def test_the_content_of_a_pipe_is_not_waited_for(hostile_videos):
    with pytest.raises(VideoRejected, match="is not a regular file"):
        content_id(hostile_videos["pipe.mp4"])
