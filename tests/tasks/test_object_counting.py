import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.shapes import SHAPES
from videossr_verl.tasks.object_counting import PRESETS, Difficulty, draw, render

TINY = Difficulty(max_frames=1, max_instances=2, min_gap=2)


def rng(seed=0):
    return np.random.default_rng(seed)


def drawn_of(sample):
    return sample.videos[0].transform["drawn"]


@settings(max_examples=40)
@given(st.sampled_from(["videossr", "hard"]), st.integers(0, 2**32))
def test_the_answer_counts_what_is_drawn(clip, frames, preset, seed):
    sample = draw(clip, frames, PRESETS[preset], rng(seed))
    counted = Counter()
    for entry in drawn_of(sample):
        counted[entry["shape"]] += len(entry["places"])
    assert sample.answer == f"{counted['circle']},{counted['square']},{counted['triangle']}"
    shown = render(sample.videos[0].transform, frames)
    differs = np.flatnonzero((shown != frames).any(axis=(1, 2, 3)))
    assert differs.tolist() == [entry["frame"] for entry in drawn_of(sample)]  # sorted, and no other frame


@settings(max_examples=40)
@given(st.sampled_from(["videossr", "hard"]), st.integers(0, 2**32))
def test_frames_keep_their_distance(clip, frames, preset, seed):
    sample = draw(clip, frames, PRESETS[preset], rng(seed))
    by_shape = {shape: [e["frame"] for e in drawn_of(sample) if e["shape"] == shape] for shape in SHAPES}
    limit = PRESETS[preset].max_frames
    for shape, indices in by_shape.items():
        assert 1 <= len(indices) <= limit
        assert all(b - a >= 9 for a, b in pairwise(indices))
        assert sample.details["frames"][shape] == indices
    pairs = [{i // 2 for i in indices} for indices in by_shape.values()]
    assert len(set.union(*pairs)) == sum(map(len, pairs))  # no two shapes in one pair of frames
    assert all(1 <= len(e["places"]) <= limit for e in drawn_of(sample))


def test_counts_and_frames_cover_their_range(clip, frames):
    samples = [draw(clip, frames, PRESETS["videossr"], rng(s)) for s in range(150)]
    counts = [int(n) for sample in samples for n in sample.answer.split(",")]
    assert set(range(1, 9)) <= set(counts) <= set(range(1, 10))
    assert np.mean(counts) == pytest.approx(4.0, abs=0.3)  # 2 frames of 2 instances on average
    assert {e["frame"] for s in samples for e in drawn_of(s)} == set(range(48))


def test_render_is_pure_and_draws_the_same_at_another_size(clip, frames):
    transform = draw(clip, frames, PRESETS["hard"], rng()).videos[0].transform
    before = frames.copy()
    shown = render(transform, frames)
    np.testing.assert_array_equal(frames, before)
    assert not np.shares_memory(shown, frames)
    entry = transform["drawn"][0]
    large = np.repeat(np.repeat(frames, 2, axis=1), 2, axis=2)
    x, y, *_, red, green, blue = entry["places"][0]
    for picture in (shown, render(transform, large)):
        height, width = picture.shape[1:3]
        assert picture[entry["frame"], int(y * height), int(x * width)].tolist() == [red, green, blue]


def test_rendered_views_are_accepted(clip, frames):
    transform = draw(clip, frames, PRESETS["videossr"], rng()).videos[0].transform
    np.testing.assert_array_equal(render(transform, frames[:, :, ::-1]), render(transform, frames[:, :, ::-1].copy()))


def test_the_largest_row_is_small(clip, frames):
    hard = Difficulty(max_frames=4, max_instances=4, min_frames=4, min_instances=4)
    sample = draw(clip, frames, hard, rng())
    assert sample.answer == "16,16,16"
    assert len(sample.videos[0].to_row()["transform"]) <= 2500


def test_fixed_knobs_fix_the_answer(clip, frames):
    assert draw(clip, frames, Difficulty(2, 3, 2, 3), rng()).answer == "6,6,6"
    assert draw(clip, frames, Difficulty(1, 1), rng()).answer == "1,1,1"


def test_question_by_hand(clip, frames):
    question = draw(clip, frames, PRESETS["videossr"], rng()).question
    assert question == (
        "<video>\nPlain filled shapes were drawn over some frames of this video: circles, squares and "
        "triangles of any size, colour and angle. A frame may show several of them, and the same kind may "
        "come again in other frames. Count over the whole video: every shape in every frame counts once. "
        "Answer only with three integers, the numbers of circles, squares and triangles, in the form "
        "<circles>,<squares>,<triangles>, for example 3,1,4."
    )


def test_equal_seeds_give_equal_samples(clip, frames):
    for seed in range(5):
        sample = draw(clip, frames, PRESETS["hard"], rng(seed))
        assert sample == draw(clip, frames, PRESETS["hard"], rng(seed))
        assert json.loads(json.dumps(sample.videos[0].transform)) == sample.videos[0].transform
        assert json.loads(json.dumps(sample.details)) == sample.details


@pytest.mark.parametrize("count", [6, 8])
def test_laptop_sizes(clip_of, frames, count):
    small = np.ascontiguousarray(frames[:count, :56, :56])
    for seed in range(8):
        sample = draw(clip_of(count), small, TINY, rng(seed))
        assert render(sample.videos[0].transform, small).shape == small.shape


@pytest.mark.parametrize("count", [4, 16])
def test_too_short_clips_are_refused(clip_of, frames, count):
    with pytest.raises(CannotDraw, match="too few"):
        draw(clip_of(count), frames[:count], PRESETS["videossr"], rng())


@pytest.mark.parametrize(
    "knobs",
    [{"max_frames": 0}, {"min_frames": 4}, {"min_instances": 0}, {"max_instances": 0}, {"min_gap": 0}],
)
def test_wrong_knobs(knobs):
    with pytest.raises(ValueError, match="min_"):
        Difficulty(**knobs)
