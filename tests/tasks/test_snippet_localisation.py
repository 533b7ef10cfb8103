import json
from contextlib import suppress
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_fns.snippet_localisation import chance
from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.views import light_of
from videossr_verl.tasks.snippet_localisation import PRESETS, Difficulty, draw, frames_shown, render
from videossr_verl.video.specs import VideoSpec

EASY, HARD = PRESETS["snippet_localisation"], PRESETS["hard"]
PLAIN = Difficulty(view=1.0, video_view=1.0, glass=0.0, tilt=0.0)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def scene(clip_of, frames):
    """A clip of 40 frames half a second apart, of a source of 30 a second, and the frames."""
    return clip_of(40), frames[:40]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([EASY, HARD]), st.integers(0, 2**32))
def test_the_snippet_lies_where_the_answer_says(scene, difficulty, seed):
    clip, frames = scene
    sample = draw(clip, frames, difficulty, rng(seed))
    video, snippet = sample.videos
    start, stop = sample.details["start_frame"], sample.details["stop_frame"]
    assert sample.answer == f"{clip.clock[start]:.1f}-{clip.clock[stop]:.1f}"
    assert start % 2 == stop % 2 == 0
    assert difficulty.min_length <= stop - start <= difficulty.max_length
    assert clip.times[start] < snippet.times[0] < clip.times[start + 1]
    assert clip.times[stop - 1] < snippet.times[-1] < clip.times[stop]
    assert video.times == clip.times
    assert not set(snippet.times) & set(video.times)
    assert (np.diff(snippet.times) > 0).all()
    assert set(snippet.times) <= set(clip.pts)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_neither_clock_nor_number_of_frames_tells_the_length(scene, seed):
    snippets = [draw(*scene, EASY, rng([seed, i])).videos[1] for i in range(3)]
    assert len({snippet.clock for snippet in snippets}) == 1
    assert snippets[0].clock[0] == 0
    assert len(snippets[0].times) == EASY.snippet_frames


def test_the_speed_is_even(scene):
    """The frames are as far apart as the source, of 30 frames a second, allows."""
    for seed in range(20):
        steps = np.diff(draw(*scene, EASY, rng(seed)).videos[1].times)
        assert np.ptp(steps) < 3.1 / 30


def test_all_segments_are_drawn(scene):
    facts = [draw(*scene, EASY, rng(seed)).details for seed in range(300)]
    assert {f["stop_frame"] - f["start_frame"] for f in facts} == {6, 8, 10, 12}
    assert {f["start_frame"] for f in facts} >= {0, 2, 4, 16, 30}
    assert max(f["stop_frame"] for f in facts) == 38


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_no_brightness_tells(scene, seed):
    """A dark and a bright segment are shown in the same light, but for what glass does by chance."""
    clip, frames = scene
    clear = replace(EASY, glass=0.0, tilt=0.0)
    transform = draw(clip, frames, clear, rng(seed)).videos[1].transform
    dark, bright = (light_of(render(transform, part)) for part in (frames[:8], frames[-8:]))
    np.testing.assert_allclose(dark, bright, atol=6)
    np.testing.assert_allclose(dark, light_of(frames), atol=6)


def test_a_clear_whole_picture_is_the_video(scene):
    clip, frames = scene
    seen = [draw(clip, frames, PLAIN, rng(seed)) for seed in range(8)]
    assert all(sample.videos[0].transform == {} for sample in seen)
    np.testing.assert_array_equal(render({}, frames), frames)
    for sample in seen:
        transform = sample.videos[1].transform
        shown = render(transform, frames)
        expected = frames[:, :, ::-1] if transform["view"]["mirror"] else frames
        assert np.abs(shown.astype(int) - expected).max() <= 2
    assert len({sample.videos[1].transform["view"]["mirror"] for sample in seen}) == 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_video_and_snippet_have_enough_of_the_picture_in_common(scene, seed):
    video, snippet = (spec.transform["view"] for spec in draw(*scene, HARD, rng(seed)).videos)
    for a, b in zip(video["place"], snippet["place"], strict=True):
        overlap = min(a + video["side"], b + snippet["side"]) - max(a, b)
        assert overlap >= 0.5 * min(video["side"], snippet["side"]) - 1e-9


def test_equal_seeds_give_equal_samples(scene):
    for seed in range(6):
        sample = draw(*scene, HARD, rng(seed))
        assert sample == draw(*scene, HARD, rng(seed))
        assert json.loads(json.dumps(sample.details)) == sample.details
        for spec in sample.videos:
            assert VideoSpec.from_row(spec.to_row()).transform == spec.transform
    assert len({draw(*scene, HARD, rng(seed)).answer for seed in range(10)}) > 5


def test_the_question_tells_what_is_changed(scene):
    plain, hard = (draw(*scene, d, rng()).question for d in (PLAIN, HARD))
    assert plain == (
        "Video: <video>\nSnippet: <video>\nThe snippet shows a short part of this video a second time. It may be "
        "mirrored, and it may run faster or slower, so its own timestamps tell nothing. When does this part happen in "
        "the video? Answer only with its start and its end in seconds of the video, in the form <start>-<end>, for "
        "example 14.5-26.2."
    )
    assert "It shows another part of the picture, may be mirrored or tilted, has other colours and other light" in hard


def test_a_still_is_refused(clip_of, still):
    with pytest.raises(CannotDraw, match="nothing moves") as refused:
        draw(clip_of(40), still[:40], EASY, rng())
    assert refused.value.reason == "no_motion"


def test_a_video_that_comes_again_has_places_at_its_seam_only(clip_of, frames):
    """Two halves that are the same: any segment inside one of them is to be seen twice."""
    twice, found = np.concatenate([frames[:20]] * 2), []
    for seed in range(10):
        with suppress(CannotDraw):
            found.append(draw(clip_of(40), twice, replace(EASY, max_length=8), rng(seed)).details)
    assert found
    assert all(facts["start_frame"] < 20 < facts["stop_frame"] for facts in found)


def test_stripes_that_come_again_are_refused(clip_of):
    """Six frames that are repeated: no segment has one place only."""
    six = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), np.uint8)
    with pytest.raises(CannotDraw, match="another segment looks like it") as refused:
        draw(clip_of(40), np.concatenate([six] * 7)[:40], EASY, rng())
    assert refused.value.reason == "not_unique"


def test_a_source_without_other_frames_is_refused(clip_of, frames):
    with pytest.raises(CannotDraw, match="8 are needed") as refused:
        draw(clip_of(40, step=1 / 30), frames[:40], EASY, rng())
    assert refused.value.reason == "too_few_frames"
    with pytest.raises(CannotDraw, match="more than half"):
        draw(clip_of(20), frames[:20], EASY, rng())


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"min_length": 0}, "min_length"),
        ({"max_length": 13}, "multiples of stride"),
        ({"snippet_frames": 7}, "snippet_frames must be even"),
        ({"view": 0.1}, "view must be from 0.2 to 1"),
        ({"video_view": 1.2}, "video_view must be from 0.2 to 1"),
        ({"glass": 2}, "glass must be from 0 to 1"),
        ({"tilt": 60}, "tilt must be from 0 to 45"),
    ],
)
def test_wrong_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        Difficulty(**knobs)


def test_knobs_survive_json_and_plans_know_the_frames():
    assert Difficulty(**json.loads(json.dumps(asdict(HARD)))) == HARD
    assert frames_shown(EASY, 40) == [40, 8]


def test_the_documented_chance():
    assert chance({**asdict(EASY), "num_frames": 40}) == pytest.approx(0.279, abs=5e-4)
