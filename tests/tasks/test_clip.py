import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.tasks.clip import ClipSettings, sample_clip
from videossr_verl.video.probe import VideoInfo, VideoRejected, probe


def info_of(pts, last=0.04):
    return VideoInfo("v.mp4", "0" * 16, 64, 48, 0, "h264", "mov", tuple(pts), pts[-1] + last)


gaps = st.lists(st.floats(1e-3, 5), min_size=0, max_size=150)
pts_lists = gaps.map(lambda g: [0.0, *np.cumsum(g).tolist()])
settings_lists = st.builds(
    ClipSettings,
    num_frames=st.integers(1, 30).map(lambda n: 2 * n),
    fps=st.none() | st.floats(0.1, 60),
    margin=st.floats(0, 0.45),
)


@given(pts_lists, settings_lists)
def test_any_times_give_a_valid_clip_or_a_rejection(pts, settings):
    info = info_of(pts)
    low, high = settings.margin * info.duration, (1 - settings.margin) * info.duration
    usable = np.array([t for t in pts if low <= t <= high])
    if settings.fps is None:
        reason = "too_few_frames" if len(usable) < settings.num_frames else None
    else:
        seconds = np.ptp(usable) if len(usable) else 0
        reason = "too_short" if seconds * settings.fps + 1e-6 < 1 else None
    if reason:
        with pytest.raises(VideoRejected) as caught:
            sample_clip(info, "v.mp4", settings)
        assert caught.value.reason.value == reason
        return
    clip = sample_clip(info, "v.mp4", settings)
    assert len(clip.times) == settings.num_frames or (settings.fps and len(clip.times) < settings.num_frames)
    assert len(clip.times) % 2 == 0
    assert len(clip.times) >= 2
    assert np.all(np.diff(clip.times) > 0)
    assert set(clip.times) <= set(pts)
    start, end = clip.window
    assert start <= clip.times[0]
    assert clip.times[-1] <= end
    assert clip.clock[0] == 0
    np.testing.assert_allclose(np.diff(clip.clock), np.diff(clip.times), atol=1e-9)


def test_uniform_over_the_middle_90_percent():
    clip = sample_clip(info_of(np.arange(1000) * 0.04), "v.mp4", ClipSettings())
    assert clip.window == pytest.approx((2.0, 38.0))
    assert (clip.times[0], clip.times[-1]) == pytest.approx((2.0, 38.0))
    assert np.ptp(np.diff(clip.times)) <= 0.04 + 1e-9


def test_times_not_frame_numbers_are_spread_evenly():
    pts = [*np.arange(100) * 0.01, *(1 + np.arange(100) * 0.1)]  # first second at 100, then 10 frames/s
    clip = sample_clip(info_of(pts), "v.mp4", ClipSettings(num_frames=10, margin=0))
    assert max(abs(np.array(clip.times) - np.linspace(0, pts[-1], 10))) <= 0.05


def test_a_pause_in_the_source_still_gives_distinct_frames():
    pts = [0, 0.1, 0.2, 10, 10.1, 10.2]
    assert sample_clip(info_of(pts), "v.mp4", ClipSettings(num_frames=6, margin=0)).times == tuple(pts)


def test_rate_and_cap():
    info = info_of(np.arange(250) * 0.04)
    clip = sample_clip(info, "v.mp4", ClipSettings(num_frames=64, fps=2, margin=0))
    assert clip.times == pytest.approx(np.arange(20) * 0.5, abs=0.021)
    capped = sample_clip(info, "v.mp4", ClipSettings(num_frames=8, fps=2, margin=0))
    assert capped.times == clip.times[:8]


@pytest.mark.parametrize(("seconds", "rate"), [(40, 1), (39, 2), (20, 2), (10, 4), (5, 8), (2, 8)])
def test_a_short_video_is_shown_faster(seconds, rate):
    """The lowest of 1, 2, 4 and 8 frames a second that gives 40, else the highest."""
    info = info_of(np.arange(seconds * 24) / 24)
    clip = sample_clip(info, "v.mp4", ClipSettings(num_frames=256, fps=(1, 8), min_frames=40, margin=0))
    alone = sample_clip(info, "v.mp4", ClipSettings(num_frames=256, fps=rate, margin=0))
    assert clip.times == alone.times


def test_the_cap_counts_frames_not_empty_slots():
    clip = sample_clip(info_of([0, 5, 10, 15]), "v.mp4", ClipSettings(num_frames=4, fps=30, margin=0))
    assert clip.times == (0, 5, 10, 15)


def test_a_source_slower_than_the_rate_gives_each_frame_once():
    clip = sample_clip(info_of([0, 1, 2, 3]), "v.mp4", ClipSettings(num_frames=48, fps=10, margin=0))
    assert clip.times == (0, 1, 2, 3)


def test_rejections_name_file_and_numbers(kinds):
    with pytest.raises(VideoRejected, match=r"one_frame.mp4 has \d frames .* 48 are needed"):
        sample_clip(probe(kinds["one_frame.mp4"]), "v", ClipSettings())
    with pytest.raises(VideoRejected, match=r"too short.*2 frames per second") as caught:
        sample_clip(probe(kinds["short.mp4"]), "v", ClipSettings(fps=2))
    assert caught.value.reason.value == "too_short"


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_frames": 47},
        {"num_frames": 0},
        {"fps": 0},
        {"fps": float("nan")},
        {"fps": (2, 1)},
        {"fps": (1, 2, 4)},
        {"fps": ()},
        {"fps": (0, 2)},
        {"min_frames": 1},
        {"margin": 0.5},
        {"min_pixels": 99999},
    ],
)
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ClipSettings(**wrong)


def test_spec_round_trips_and_checks():
    clip = sample_clip(info_of(np.arange(100) * 0.04), "a/v.mp4", ClipSettings(num_frames=4))
    spec = clip.spec("anomaly_grounding", {"name": "mirror"})
    assert (spec.video, spec.times, spec.clock, spec.transform) == (
        "a/v.mp4",
        clip.times,
        clip.clock,
        {"name": "mirror"},
    )
    slow = clip.spec("anomaly_grounding", times=clip.times[:2], clock=(0, 5))
    assert slow.clock == (0, 5)
    assert clip.spec("t", times=clip.times[2:]).clock[0] == 0
    with pytest.raises(ValueError, match="even count"):
        clip.spec("t", times=clip.times[:3])
