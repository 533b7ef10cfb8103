"""Which frames of a file are shown: those of qwen-vl-utils, named by their true times."""

import numpy as np
import pytest
from qwen_vl_utils import vision_process

from videossr_verl.evaluate.lmms.whole_video import FramePolicy, whole_video
from videossr_verl.prompt.render import render
from videossr_verl.video.rejected import VideoRejected


@pytest.fixture(scope="module")
def even(make_video, tmp_path_factory):
    """Frame k shows the number k; 12.5 seconds at 10 frames a second."""
    return make_video(tmp_path_factory.mktemp("v") / "even.mp4", frames=125, fps=10)


@pytest.fixture(scope="module")
def uneven(make_video, tmp_path_factory):
    """Ten seconds at 20 frames a second, then ten at 2: its mean rate says nothing of its times."""
    ticks = [50 * k for k in range(200)] + [10_000 + 500 * k for k in range(20)]
    return make_video(tmp_path_factory.mktemp("v") / "uneven.mp4", frames=220, ticks=ticks)


@pytest.mark.parametrize(("fps", "most"), [(2.0, 32), (2.0, 8), (1.0, 64), (5.0, 64), (None, 16)])
def test_the_frames_of_qwen_vl_utils(even, fps, most, monkeypatch):
    monkeypatch.setattr(vision_process, "get_video_reader_backend", lambda: "decord")
    spec = whole_video(even, FramePolicy(fps, most))
    wanted = {"nframes": most} if fps is None else {"fps": fps, "max_frames": most}
    (_, metadata), _ = vision_process.fetch_video(
        {"video": str(even), **wanted}, return_video_metadata=True, return_video_sample_fps=True
    )
    indices = np.asarray(metadata["frames_indices"])
    assert spec.times == pytest.approx(indices / 10)
    assert spec.clock == spec.times


def test_what_is_shown_is_what_the_times_say(even, read_number):
    spec = whole_video(even, FramePolicy(2.0, 32, 48 * 64, 96 * 128))
    ((frames, metadata),), _ = render([spec], [], "/", 28)
    assert [read_number(f.permute(1, 2, 0).numpy()) for f in frames] == [round(10 * t) for t in spec.times]
    assert np.array(metadata["frames_indices"]) / metadata["fps"] == pytest.approx(spec.times, abs=1e-3)


def test_uneven_frames_keep_their_own_times(uneven, read_number):
    spec = whole_video(uneven, FramePolicy(2.0, 32, 48 * 64, 96 * 128))
    ((frames, _),), _ = render([spec], [], "/", 28)
    numbers = [read_number(f.permute(1, 2, 0).numpy()) for f in frames]
    expected = [k * 0.05 if k < 200 else 10 + 0.5 * (k - 200) for k in numbers]
    assert spec.times == pytest.approx(expected, abs=1e-3)
    assert spec.times[-1] == pytest.approx(19.5)


def test_a_part_of_a_video_starts_its_clock_there(even):
    spec = whole_video(even, FramePolicy(2.0, 32), start=4.0, end=8.0)
    assert (spec.times[0], spec.times[-1]) == pytest.approx((4.0, 8.0))
    assert spec.clock[0] == 0
    assert len(spec.times) == 8


def test_a_short_video_is_shown_whole(make_video, tmp_path):
    path = make_video(tmp_path / "short.mp4", frames=5, fps=10)
    assert len(whole_video(path, FramePolicy(2.0, 32)).times) in (2, 4)
    assert len(whole_video(path, FramePolicy(None, 32)).times) == 4


def test_what_cannot_be_shown_is_told(make_video, tmp_path):
    with pytest.raises(VideoRejected, match="1 frames to show; 2 are needed"):
        whole_video(make_video(tmp_path / "one.mp4", frames=1), FramePolicy())
    with pytest.raises(VideoRejected):
        whole_video(tmp_path / "nothing.mp4", FramePolicy())
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    with pytest.raises(VideoRejected):
        whole_video(tmp_path / "broken.mp4", FramePolicy())
