import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videossr_verl.tasks.arrow_of_time import PRESETS, Difficulty, draw, frames_shown, render
from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.presets import load_preset
from videossr_verl.tiny.arrow_scenes import generate_arrow_frames
from videossr_verl.video.metadata import video_metadata
from videossr_verl.video.specs import VideoSpec


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def scene():
    """48 frames (48, 84, 112, 3) with a direction."""
    frames = generate_arrow_frames(rng(1), 48, 8.0, 84, 112)
    frames.setflags(write=False)
    return frames


def indices(clip, spec):
    position = {time: i for i, time in enumerate(clip.times)}
    return [position[time] for time in spec.times]


@settings(max_examples=40)
@given(st.integers(1, 4), st.sampled_from([4, 6, 8]), st.integers(0, 2**32))
def test_the_answer_names_the_backward_clips(clip, scene, pairs, length, seed):
    sample = draw(clip, scene, Difficulty(pairs, length), rng(seed))
    backward = []
    starts = []
    for i, spec in enumerate(sample.videos):
        shown = indices(clip, spec)
        assert len(shown) == length
        assert set(np.diff(shown)) in ({1}, {-1})
        backward += [str(i + 1)] * (shown[0] > shown[-1])
        starts.append(min(shown))
    assert sample.answer == ",".join(backward)
    assert starts[::2] == starts[1::2]  # both clips of a pair have the same frames
    assert (np.diff(sorted(starts[::2])) >= length + length // 2).all()
    assert [round(clip.clock[start], 3) for start in starts[::2]] == sample.details["starts"]


def test_twins_are_exact_reversals(clip, scene):
    for seed in range(5):
        videos = draw(clip, scene, Difficulty(), rng(seed)).videos
        for one, other in zip(videos[::2], videos[1::2], strict=True):
            shown = [render(spec.transform, scene[indices(clip, spec)]) for spec in (one, other)]
            np.testing.assert_array_equal(shown[0], shown[1][::-1])
            assert one.to_row() | {"times": ()} == other.to_row() | {"times": ()}


@settings(max_examples=20)
@given(st.floats(0, 1), st.integers(0, 2**32))
def test_no_clock_tells_the_direction(clip_of, scene, jitter, seed):
    clip = clip_of(48, jitter=jitter, seed=seed % 100)
    videos = draw(clip, scene, Difficulty(), rng(seed)).videos
    metadata = [video_metadata(VideoSpec.from_row(spec.to_row()).clock) for spec in videos]
    assert all(one == metadata[0] for one in metadata)
    np.testing.assert_allclose(np.diff(videos[0].clock), np.diff(clip.times).mean(), rtol=1e-9)


def test_labels_are_even(clip, scene):
    counts = Counter(draw(clip, scene, Difficulty(2, 4), rng(seed)).answer for seed in range(400))
    assert set(counts) == {"1,3", "1,4", "2,3", "2,4"}
    assert min(counts.values()) > 65  # four standard deviations


def test_no_light_tells_the_direction(clip, scene):
    """Dawn, and a contrast that grows, in a scene with motion."""
    light = np.linspace(0.4, 1, 48)[:, None, None, None]
    dawn = (scene * light).astype(np.uint8)
    for spec in draw(clip, dawn, Difficulty(), rng()).videos:
        before = dawn[indices(clip, spec)]
        shown = render(spec.transform, before)
        assert np.ptp(before.mean(axis=(1, 2, 3))) > 5
        assert np.ptp(shown.mean(axis=(1, 2)), axis=0).max() < 1
        assert np.ptp(shown.std(axis=(1, 2)), axis=0).max() < 1
        assert (shown.std(axis=(1, 2)) < before.std(axis=(1, 2)).min(axis=0)).all()


def test_light_alone_is_no_motion(clip, still):
    light = np.linspace(0.4, 1, 48)[:, None, None, None]
    with pytest.raises(CannotDraw, match="found no 3 pieces") as refused:
        draw(clip, (still * light).astype(np.uint8), Difficulty(), rng())
    assert refused.value.reason == "no_direction"


def test_a_still_is_refused(clip, still):
    noisy = np.clip(still + rng().normal(0, 4, still.shape), 0, 255).astype(np.uint8)
    for frames in (still, noisy):
        with pytest.raises(CannotDraw, match="in which a direction can be seen"):
            draw(clip, frames, Difficulty(), rng())


def test_there_and_back_is_refused(clip, scene):
    """Turns every third frame, so each piece turns somewhere."""
    way = np.resize([0, 2, 4, 6, 4, 2], 48)
    with pytest.raises(CannotDraw, match="in which a direction can be seen"):
        draw(clip, scene[way], Difficulty(), rng())


def test_cuts_are_refused(clip, still, scene):
    """Two still scenes in turn: each piece with both differs from its reverse, and nothing moves in either."""
    frames = still.copy()
    for start in range(0, 48, 12):
        frames[start : start + 6] = scene[0]
    with pytest.raises(CannotDraw, match="found no 1 pieces") as refused:
        draw(clip, frames, Difficulty(1), rng())
    assert refused.value.reason == "cut"


def test_too_few_frames(clip_of, scene):
    with pytest.raises(CannotDraw, match="30 frames are too few for 3 pieces of 8 frames, 4 apart; 32 are needed"):
        draw(clip_of(30), scene[:30], Difficulty(), rng())


def test_question_by_hand(clip, scene):
    assert draw(clip, scene, Difficulty(1), rng()).question == (
        "Clip 1: <video>\nClip 2: <video>\nClips 1 and 2 show the same frames: one forwards, as they were filmed, the "
        "other backwards. Which clip runs backwards? Answer only with its number, 1 or 2."
    )
    two = draw(clip, scene, Difficulty(2), rng()).question
    assert "So do clips 3 and 4. Find the clip of each pair that runs backwards." in two
    assert two.endswith("Answer only with the 2 numbers of the backward clips, separated by commas, for example 1,4.")
    four = draw(clip, scene, Difficulty(4, 4), rng()).question
    assert "So do, pair by pair, clips 3 and 4, and clips 5 and 6, and clips 7 and 8." in four


def test_equal_seeds_give_equal_samples(clip, scene):
    for seed in range(5):
        sample = draw(clip, scene, Difficulty(), rng(seed))
        assert sample == draw(clip, scene, Difficulty(), rng(seed))
        assert json.loads(json.dumps(sample.details)) == sample.details


def test_presets_show_few_frames():
    for name, most in (("arrow_of_time", 48), ("arrow_of_time_tiny", 16), ("arrow_of_time_levels", 48)):
        for subset in load_preset(name).subsets.values():
            shown = frames_shown(subset.difficulty, subset.clip.num_frames)
            assert len(shown) == 2 * subset.difficulty.num_pairs
            assert sum(shown) <= most
    assert load_preset("arrow_of_time").subsets["arrow_of_time"].difficulty == PRESETS["arrow_of_time"]


@pytest.mark.parametrize("light", [{"mean": [1, 2], "spread": [1, 2, 3]}, {"mean": [1, 2, 300], "spread": [1, 2, 3]}])
def test_what_is_no_light_raises(light, scene):
    with pytest.raises(ValueError, match="frames cannot be brought to mean and spread"):
        render({"light": light}, scene[:4])


@pytest.mark.parametrize(
    "knobs", [{"num_pairs": 0}, {"num_pairs": 5}, {"length": 2}, {"length": 5}, {"min_motion": 0}, {"min_motion": 1}]
)
def test_wrong_knobs(knobs):
    with pytest.raises(ValueError, match=next(iter(knobs))):
        Difficulty(**knobs)
