import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videossr_verl.tasks.anomaly_grounding import PRESETS, Difficulty, draw, render
from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.perturbations import PERTURBATIONS
from videossr_verl.tasks.frames.visibility import MIN_CHANGE, changes
from videossr_verl.video.specs import VideoSpec

# Without blur: the generated pictures are too smooth for it.
PICTURE_CHANGES = sorted({n for n, p in PERTURBATIONS.items() if p.family in ("fine_grained", "spatial")} - {"blur"})


def rng(seed=0):
    return np.random.default_rng(seed)


def transform_of(sample):
    return sample.videos[0].transform


def test_preset_is_the_papers_training_mix():
    assert PRESETS["videossr"] == Difficulty(
        ("channel_swap", "mirror", "zoom_out", "rotate_180"), min_length=8, max_length=16, stride=2
    )


@settings(max_examples=60)
@given(st.sampled_from(PICTURE_CHANGES), st.integers(0, 2**32))
def test_the_pictures_give_the_answer(clip, frames, name, seed):
    sample = draw(clip, frames, Difficulty((name,)), rng(seed))
    shown = render(transform_of(sample), frames)
    changed = np.flatnonzero(changes(frames, shown) >= MIN_CHANGE)
    start, stop = changed[0], changed[-1] + 1
    np.testing.assert_array_equal(changed, np.arange(start, stop))  # no hole, and clean frames are untouched
    end = clip.clock[stop] if stop < 48 else clip.clock[-1] + (clip.clock[-1] - clip.clock[-2])
    assert sample.answer == f"{clip.clock[start]:.1f}-{end:.1f}"
    assert start % 2 == stop % 2 == 0
    assert 8 <= stop - start <= 16
    np.testing.assert_array_equal(shown[:start], frames[:start])
    np.testing.assert_array_equal(shown[stop:], frames[stop:])
    assert PERTURBATIONS[name].description in sample.question
    assert sample.question.startswith("<video>\n")


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_shuffle_differs_at_both_borders(clip, frames, seed):
    sample = draw(clip, frames, Difficulty(("shuffle",)), rng(seed))
    shown = render(transform_of(sample), frames)
    differs = np.flatnonzero((shown != frames).any(axis=(1, 2, 3)))
    assert (differs[0], differs[-1] + 1) == (transform_of(sample)["start"], transform_of(sample)["stop"])


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_stutter_freezes_from_border_to_border(clip, frames, seed):
    sample = draw(clip, frames, Difficulty(("stutter_hold",)), rng(seed))
    shown = render(transform_of(sample), frames)
    frozen = np.flatnonzero((shown[1:] == shown[:-1]).all(axis=(1, 2, 3)))
    assert (frozen[0], frozen[-1] + 2) == (transform_of(sample)["start"], transform_of(sample)["stop"])


@settings(max_examples=30)
@given(st.sampled_from(["slow", "fast"]), st.integers(0, 2**32))
def test_speed_changes_by_source_times_only(clip, frames, name, seed):
    sample = draw(clip, frames, Difficulty((name,)), rng(seed))
    spec, speed = sample.videos[0], transform_of(sample)["params"]["speed"]
    start, stop = transform_of(sample)["start"], transform_of(sample)["stop"]
    assert spec.clock == clip.clock
    assert set(spec.times) <= set(clip.pts)
    assert (spec.times[0], spec.times[-1]) == (clip.times[0], clip.times[-1])
    steps = np.diff(spec.times)
    assert (steps > 0).all()
    inside = np.zeros(47, bool)
    inside[start:stop] = True
    assert steps[inside].mean() / steps[~inside].mean() == pytest.approx(speed, rel=0.1)
    np.testing.assert_array_equal(render(spec.transform, frames), frames)
    assert "timestamps" in sample.question


def test_slow_needs_source_frames_between_the_shown_ones(clip_of, frames):
    with pytest.raises(CannotDraw, match="too few frames"):
        draw(clip_of(48, step=0.1, source_fps=10), frames, Difficulty(("slow",)), rng())


def test_swap_borrows_the_other_clips_frames(clip, clip_of, frames):
    other = clip_of(48, step=1.0, video="folder/b.mp4", content_id="1" * 16)
    sample = draw(clip, frames, Difficulty(("swap",)), rng(), other=other)
    transform = transform_of(sample)
    start, stop, source = transform["start"], transform["stop"], transform["source"]
    assert source["video"] == "folder/b.mp4"
    assert (source["width"], source["height"]) == (other.width, other.height)
    np.testing.assert_allclose(source["times"], other.times[start:stop], atol=1e-6)
    borrowed = np.full((stop - start, 60, 30, 3), 255, np.uint8)  # another shape: it fills the frame
    shown = render(transform, frames, borrowed)
    assert shown.shape == frames.shape
    assert (shown[start:stop] == 255).all()
    np.testing.assert_array_equal(shown[:start], frames[:start])


def test_swap_without_a_usable_other_clip(clip, clip_of, frames):
    swap = Difficulty(("swap",))
    with pytest.raises(CannotDraw, match="another video"):
        draw(clip, frames, swap, rng())
    with pytest.raises(CannotDraw, match="same content"):
        draw(clip, frames, swap, rng(), other=clip)
    with pytest.raises(CannotDraw, match="frames, "):
        draw(clip, frames, swap, rng(), other=clip_of(4, content_id="1" * 16))
    sample = draw(clip, frames, swap, rng(), other=clip_of(content_id="1" * 16))
    with pytest.raises(ValueError, match="other_frames"):
        render(transform_of(sample), frames)


def test_borders_and_lengths_cover_their_range(clip, frames):
    segments = [transform_of(draw(clip, frames, Difficulty(("invert",)), rng(s))) for s in range(300)]
    assert {t["stop"] - t["start"] for t in segments} == {8, 10, 12, 14, 16}
    assert {t["start"] for t in segments} >= {0, 2, 4, 6, 8}
    assert max(t["stop"] for t in segments) == 48


def test_answers_and_question_by_hand(clip_of, frames):
    clip = clip_of(4, step=1.25, source_fps=8)
    seen = {}
    for seed in range(20):
        sample = draw(clip, frames[:4], Difficulty(("mirror",), 2, 2), rng(seed))
        seen[transform_of(sample)["start"]] = sample
    step = clip.clock[2] / 2
    assert seen[0].answer == f"0.0-{2 * step:.1f}"
    assert seen[2].answer == f"{2 * step:.1f}-{clip.clock[3] + clip.clock[3] - clip.clock[2]:.1f}"
    assert seen[0].question == (
        "<video>\nIn one segment of this video the picture is mirrored left to right. Find out exactly when "
        "this segment starts and when it ends. Answer only with both times in seconds, in the form "
        "<start>-<end>, for example 14.5-26.2."
    )


def test_noise_follows_the_size_of_the_source(clip, frames):
    """Frames of 84 x 112 from 360 x 640: a fifth of the noise is left, from a source of 84 x 112 all of it."""
    change = Difficulty(("noise",))
    small = draw(replace(clip, width=112, height=84), frames, change, rng())
    kept = [transform_of(sample)["params"]["kept"] for sample in (small, draw(clip, frames, change, rng()))]
    assert kept == [1.0, pytest.approx(0.188, abs=0.002)]  # sqrt((s - 1/3) / s**2) for each side


def test_noise_that_no_longer_shows_is_refused(clip, frames):
    with pytest.raises(CannotDraw, match="noise: the change does not show"):
        draw(replace(clip, width=7680, height=4320), frames, Difficulty(("noise",)), rng())


def test_labels_follow_the_true_timestamps(clip_of, frames):
    clip = clip_of(48, jitter=1.0)
    assert np.diff(clip.clock).std() > 0.02
    sample = draw(clip, frames, Difficulty(("invert",), 8, 8), rng(4))
    start, stop = transform_of(sample)["start"], transform_of(sample)["stop"]
    assert sample.answer == f"{clip.clock[start]:.1f}-{clip.clock[stop]:.1f}"


def test_equal_seeds_give_equal_samples(clip, frames):
    difficulty = Difficulty(tuple(sorted(set(PERTURBATIONS) - {"swap"})))
    for seed in range(10):
        sample = draw(clip, frames, difficulty, rng(seed))
        assert sample == draw(clip, frames, difficulty, rng(seed))
        assert json.loads(json.dumps(sample.details)) == sample.details
        row = sample.videos[0].to_row()
        assert VideoSpec.from_row(row).transform == transform_of(sample)
    answers = {draw(clip, frames, difficulty, rng(seed)).answer for seed in range(10)}
    assert len(answers) > 5


def test_an_invisible_change_is_replaced(clip, frames):
    gray = np.repeat(frames[..., :1], 3, axis=3)
    difficulty = Difficulty(("channel_swap", "mirror"))
    names = {draw(clip, gray, difficulty, rng(s)).details["perturbation"] for s in range(10)}
    assert names == {"mirror"}


@pytest.mark.parametrize("name", ["shuffle", "stutter_hold", "slow", "fast"])
def test_a_still_refuses_changes_of_time(clip, still, name):
    with pytest.raises(CannotDraw, match=name):
        draw(clip, still, Difficulty((name,)), rng())


def test_a_black_video_is_refused_with_every_reason(clip):
    with pytest.raises(CannotDraw, match=r"(?=.*channel_swap)(?=.*mirror)(?=.*zoom_out)(?=.*rotate_180)"):
        draw(clip, np.zeros((48, 56, 56, 3), np.uint8), Difficulty(), rng())


def test_too_short_clips_are_refused(clip_of, frames):
    with pytest.raises(CannotDraw, match="16 frames"):
        draw(clip_of(16), frames[:16], Difficulty(), rng())
    with pytest.raises(CannotDraw, match="tenth"):
        draw(clip_of(48, step=0.0005, source_fps=4000), frames, Difficulty(("invert",)), rng())


@pytest.mark.parametrize("count", [6, 8, 16])
def test_laptop_sizes(clip_of, frames, count):
    small = np.ascontiguousarray(frames[:count, :56, :56])
    for seed in range(8):
        sample = draw(clip_of(count), small, Difficulty(min_length=2, max_length=4), rng(seed))
        assert render(transform_of(sample), small).shape == small.shape


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"perturbations": ("mirror", "mirrors")}, "unknown perturbation 'mirrors'"),
        ({"perturbations": ()}, "empty"),
        ({"perturbations": "mirror"}, "list of names"),
        ({"min_length": 0}, "min_length"),
        ({"min_length": 18}, "min_length"),
        ({"stride": 0}, "stride"),
        ({"min_length": 9}, "multiples of stride"),
        ({"max_length": 15}, "multiples of stride"),
    ],
)
def test_wrong_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        Difficulty(**knobs)


def test_knobs_survive_json():
    assert Difficulty(**json.loads(json.dumps(asdict(Difficulty())))) == Difficulty()
