import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.views import through
from videossr_verl.tasks.temporal_jigsaw import PRESETS, Difficulty, draw, render
from videossr_verl.video.metadata import video_metadata
from videossr_verl.video.specs import VideoSpec


def rng(seed=0):
    return np.random.default_rng(seed)


@settings(max_examples=60)
@given(st.integers(3, 9), st.sampled_from([0.0, 0.1, 0.25, 0.45]), st.integers(0, 2**32))
def test_the_answer_puts_the_clips_in_order(clip, frames, n, margin, seed):
    length = 48 // n // 2 * 2
    left_out = min(round(margin * length), length // 2 - 1)
    if margin and not left_out:
        with pytest.raises(CannotDraw, match="none between two"):
            draw(clip, frames, Difficulty(n, margin), rng(seed))
        return
    sample = draw(clip, frames, Difficulty(n, margin), rng(seed))
    assert sorted(sample.answer) == [str(i + 1) for i in range(n)]
    assert sample.answer != "".join(sorted(sample.answer))
    in_order = [sample.videos[int(digit) - 1] for digit in sample.answer]
    position = {time: i for i, time in enumerate(clip.times)}
    for i, spec in enumerate(in_order):
        shown = [position[time] for time in spec.times]
        assert shown == list(range(i * length + left_out, (i + 1) * length - left_out))
        assert len(shown) % 2 == 0
        np.testing.assert_array_equal(render(spec.transform, frames[shown]), frames[shown])
    # The i-th digit is where the i-th piece is shown: the inverse of what is shown where.
    assert [sample.details["shown"][int(digit) - 1] for digit in sample.answer] == list(range(1, n + 1))


@settings(max_examples=40)
@given(st.integers(3, 9), st.sampled_from([0, 0.25]), st.floats(0, 1), st.integers(0, 2**32))
def test_no_clock_tells_the_order(clip_of, frames, n, margin, jitter, seed):
    """All pieces run on one even clock, also where the source's frames are uneven."""
    clip = clip_of(48, jitter=jitter, seed=seed % 100)
    videos = draw(clip, frames, Difficulty(n, margin), rng(seed)).videos
    metadata = [video_metadata(VideoSpec.from_row(spec.to_row()).clock) for spec in videos]
    assert all(one == metadata[0] for one in metadata)
    steps = np.diff(videos[0].clock)
    assert videos[0].clock[0] == 0
    np.testing.assert_allclose(steps, np.diff(clip.times).mean(), rtol=1e-9)
    assert all(spec.to_row() | {"times": ()} == videos[0].to_row() | {"times": ()} for spec in videos)


@pytest.mark.parametrize(("preset", "n", "length"), [("videossr", 6, 8), ("hard", 8, 2)])
def test_presets(clip, frames, preset, n, length):
    sample = draw(clip, frames, PRESETS[preset], rng())
    assert [len(spec.times) for spec in sample.videos] == [length] * n


def test_margin_shortens_both_ends(clip, frames):
    sample = draw(clip, frames, Difficulty(6, margin=0.25), rng())
    first = sample.videos[int(sample.answer[0]) - 1]
    assert first.times == clip.times[2:6]


def test_each_piece_has_a_view_of_its_own_in_the_same_light(clip, frames):
    sample = draw(clip, frames, PRESETS["hard"], rng())
    position = {time: i for i, time in enumerate(clip.times)}
    views = [spec.transform for spec in sample.videos]
    assert len({str(view["place"]) for view in views}) == 8
    assert {view["mirror"] for view in views} == {True, False}
    light = []
    for spec in sample.videos:
        clean = frames[[position[time] for time in spec.times]]
        shown = render(spec.transform, clean)
        np.testing.assert_array_equal(shown, through(spec.transform, clean))
        light.append(shown.mean(axis=(0, 1, 2)))
    assert np.ptp(light, axis=0).max() < 10
    assert np.ptp([f.mean() for f in frames]) > 40  # the scene itself gets much brighter
    assert "Each clip shows only a part of the picture, which may be mirrored." in sample.question


def test_what_moves_lies_within_every_view(clip, frames):
    """A small thing in a corner that few views show: they are drawn again, or the clip is refused."""
    corner = np.repeat(frames[:1], 48, axis=0)
    corner[:, :40, :50] = frames[:, :40, :50]
    sample = draw(clip, corner, Difficulty(3, view=0.6), rng())
    assert all(spec.transform["place"][1] < 0.4 for spec in sample.videos)
    corner[:] = frames[:1]
    corner[:, :6, :6] = np.linspace(0, 250, 48)[:, None, None, None]
    with pytest.raises(CannotDraw, match=r"in no part of 0[.]3 of width and height"):
        draw(clip, corner, Difficulty(3, view=0.3), rng())


def test_question_by_hand(clip, frames):
    sample = draw(clip, frames, Difficulty(3), rng())
    assert sample.question == (
        "Clip 1: <video>\nClip 2: <video>\nClip 3: <video>\nThese 3 clips were cut from one video and are "
        "shown in a wrong order. Put them in the order in which they happened. Answer only with the 3 clip "
        "numbers from the earliest to the latest, without spaces, for example 213."
    )
    assert "for example 246135." in draw(clip, frames, PRESETS["videossr"], rng()).question


def test_orders_are_even_without_the_right_one(clip_of, frames):
    clip, few = clip_of(6), frames[::8]
    counts = Counter(draw(clip, few, Difficulty(3), rng(s)).answer for s in range(300))
    assert set(counts) == {"132", "213", "231", "312", "321"}
    assert min(counts.values()) > 40


def test_the_inverse_by_hand(clip, frames):
    for seed in range(20):
        sample = draw(clip, frames, Difficulty(3), rng(seed))
        if sample.details["shown"] == [2, 3, 1]:  # Clip 1 shows piece 2, Clip 2 piece 3, Clip 3 piece 1
            assert sample.answer == "312"
            return
    pytest.fail("no seed gives the order 2 3 1")


def test_a_still_is_refused(clip, still):
    with pytest.raises(CannotDraw, match="pieces 1 and 2 look the same"):
        draw(clip, still, PRESETS["videossr"], rng())


def test_a_scene_that_returns_is_refused(clip, frames):
    again = frames.copy()
    again[24:32] = again[0:8]
    with pytest.raises(CannotDraw, match="pieces 1 and 4 look the same"):
        draw(clip, again, PRESETS["videossr"], rng())


def test_camera_noise_does_not_make_pieces_differ(clip, still):
    noisy = np.clip(still + rng().normal(0, 4, still.shape), 0, 255).astype(np.uint8)
    with pytest.raises(CannotDraw, match="look the same"):
        draw(clip, noisy, PRESETS["videossr"], rng())


def test_equal_seeds_give_equal_samples(clip, frames):
    for seed in range(5):
        sample = draw(clip, frames, PRESETS["hard"], rng(seed))
        assert sample == draw(clip, frames, PRESETS["hard"], rng(seed))
        assert json.loads(json.dumps(sample.details)) == sample.details


def test_laptop_sizes(clip_of, frames):
    small = np.ascontiguousarray(frames[::6, :56, :56])[:6]
    sample = draw(clip_of(6), small, Difficulty(3), rng())
    assert [len(spec.times) for spec in sample.videos] == [2, 2, 2]
    with pytest.raises(CannotDraw, match="fewer than 2"):
        draw(clip_of(6), small, Difficulty(4), rng())


@pytest.mark.parametrize(
    "knobs", [{"num_clips": 2}, {"num_clips": 10}, {"margin": -0.1}, {"margin": 0.5}, {"view": 0.1}]
)
def test_wrong_knobs(knobs):
    with pytest.raises(ValueError, match=next(iter(knobs))):
        Difficulty(**knobs)
