import os
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videossr_verl.video import container, frame_index
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import RejectReason, VideoRejected, probe

REAL = {
    "bigbuckbunny": (1280, 720, 132, 25),
    "bikes": (640, 272, 250, 25),
    "carphone_pristine": (176, 144, 120, 29.97),
}


@pytest.mark.parametrize("name", REAL)
def test_real_clips(real_clips, name):
    width, height, frames, fps = REAL[name]
    info = probe(real_clips[name])
    assert (info.width, info.height, info.rotation, info.codec, len(info.pts)) == (
        width,
        height,
        0,
        "h264",
        frames,
    )
    assert info.duration == pytest.approx(frames / fps, rel=1e-3)
    np.testing.assert_allclose(info.pts, np.arange(frames) / fps, rtol=1e-3, atol=1e-6)


def test_every_kind_of_video_lists_every_frame(kinds):
    expected = {
        "one_frame.mp4": 1,
        "short.mp4": 10,
        "uneven.mp4": 80,
        "vp8.webm": 60,
        "odd_size.mp4": 30,
        "h264.avi": 50,
    }
    for name, path in kinds.items():
        info = probe(path)
        assert info.pts[0] == 0, name
        assert np.all(np.diff(info.pts) > 0), name
        assert info.duration > info.pts[-1], name
        if name in expected:
            assert len(info.pts) == expected[name], name


def test_uneven_times_are_the_containers(tmp_path, make_video):
    ticks = [0, 40, 45, 300, 1300, 1310]
    info = probe(make_video(tmp_path / "v.mkv", 6, ticks=ticks))
    np.testing.assert_allclose(info.pts, np.array(ticks) / 1000)


def test_times_count_from_a_late_first_frame(kinds):
    info = probe(kinds["starts_late.mkv"])
    np.testing.assert_allclose(info.pts, np.arange(50) * 0.04, atol=1e-9)
    assert info.duration == pytest.approx(2.0)


def test_duration_includes_the_last_frame(kinds):
    assert probe(kinds["one_frame.mp4"]).duration == pytest.approx(0.04)
    assert probe(kinds["short.mp4"]).duration == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("name", "rotation", "size"),
    [("turned_90.mp4", 90, (48, 64)), ("turned_180.mov", 180, (64, 48)), ("turned_270.mkv", 270, (48, 64))],
)
def test_size_is_as_shown(kinds, name, rotation, size):
    info = probe(kinds[name])
    assert (info.rotation, (info.width, info.height)) == (rotation, size)


def test_content_id_follows_the_bytes_not_the_name(kinds, tmp_path):
    copy = shutil.copy(kinds["short.mp4"], tmp_path / "other name.mp4")
    assert probe(copy).content_id == probe(kinds["short.mp4"]).content_id != probe(kinds["one_frame.mp4"]).content_id
    assert len(probe(copy).content_id) == 16


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "empty_file"),
        ("garbage", "not_a_video"),
        ("text", "not_a_video"),
        ("playlist", "not_a_video"),
        ("cut", "not_a_video"),
        ("missing", "missing"),
        ("folder", "not_a_file"),
        ("pipe", "not_a_file"),
        ("sound", "no_video_stream"),
    ],
)
def test_broken_files_are_rejected_with_the_reason(broken, name, reason):
    with pytest.raises(VideoRejected) as caught:
        probe(broken[name])
    assert caught.value.reason.value == reason
    assert str(broken[name]) in caught.value.detail


def test_null_byte_in_the_name():
    with pytest.raises(VideoRejected) as caught:
        probe("a\0b.mp4")
    assert caught.value.reason is RejectReason.UNREADABLE


def test_too_large_pictures_and_too_many_frames(kinds, monkeypatch):
    monkeypatch.setattr(container, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(VideoRejected, match="64x48"):
        frame_index.read_index(str(kinds["short.mp4"]))
    monkeypatch.undo()
    monkeypatch.setattr(frame_index, "MAX_FRAMES", 9)
    with pytest.raises(VideoRejected, match="more than 9 frames") as caught:
        frame_index.read_index(str(kinds["short.mp4"]))
    assert caught.value.reason is RejectReason.TOO_LARGE


def test_a_changed_file_is_read_again(kinds, tmp_path):
    path = tmp_path / "v.mp4"
    for name, frames in (("short.mp4", 10), ("b_frames.mp4", 50)):
        shutil.copy(kinds[name], path)
        os.utime(path, ns=(frames, frames))
        assert len(probe(path).pts) == frames


def test_rejection_survives_pickling():
    error = pickle.loads(pickle.dumps(VideoRejected(RejectReason.TOO_SHORT, "v.mp4 is too short")))
    assert (error.reason, error.detail) == (RejectReason.TOO_SHORT, "v.mp4 is too short")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_other_error_for_mutated_files(kinds, tmp_path, data):
    name = data.draw(st.sampled_from(["b_frames.mp4", "vp9.webm", "mpeg4.avi", "open_gops.ts", "animation.gif"]))
    content = bytearray(kinds[name].read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(1, len(content))) :]
    path = tmp_path / "mutated"
    path.write_bytes(content)
    try:
        info = probe(path)
        assert np.all(np.diff(info.pts) > 0)
        assert decode(path, info.pts[::9], (32, 32)).shape == (len(info.pts[::9]), 32, 32, 3)
    except VideoRejected:
        return


def test_ffmpeg_is_silent_on_damaged_files(broken, kinds, tmp_path):
    damaged = tmp_path / "damaged.ts"
    content = bytearray(kinds["open_gops.ts"].read_bytes())
    content[3000:4500] = bytes(1500)
    damaged.write_bytes(content)
    code = (
        "import sys\nfrom videossr_verl.video.probe import probe, VideoRejected\n"
        "from videossr_verl.video.decode import decode\n"
        "for path in sys.argv[1:]:\n"
        "    try: decode(path, probe(path).pts, (32, 32))\n"
        "    except VideoRejected: pass\n"
    )
    command = [sys.executable, "-c", code, str(broken["garbage"]), str(broken["cut"]), str(damaged)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
