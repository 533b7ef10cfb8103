import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from reward_fns.directions import DIRECTIONS
from reward_fns.motion_primitives import KINDS
from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.moving_shapes import places
from videossr_verl.tasks.motion.named_shapes import COLOURS
from videossr_verl.tasks.motion_primitives import PRESETS, Difficulty, draw, render

T = 48
# On the unit circle of the compass, y down.
COMPASS = {name: np.round([np.sin(i * np.pi / 4), -np.cos(i * np.pi / 4)], 3) for i, name in enumerate(DIRECTIONS)}
seeds = st.integers(0, 2**32)


def only(kind, **knobs):
    return Difficulty((kind,), **knobs)


def sampled(clip, frames, difficulty, seed):
    return draw(clip, frames, difficulty, np.random.default_rng(seed))


def named(sample):
    """The places (T, 2), in pixels and unwrapped, of the shapes that the question names, in its order."""
    shapes = sample.videos[0].transform["shapes"]
    colours = {tuple(rgb): name for name, rgb in COLOURS.items()}
    by_name = {f"{colours[tuple(s['colour'])]} {s['shape']}": s for s in shapes}
    found = [(sample.question.index(f"{name}."), s) for name, s in by_name.items() if f"{name}." in sample.question]
    return [unwrapped(s) for _, s in sorted(found, key=lambda item: item[0])]


def unwrapped(shape):
    steps = np.diff(places(shape, T), axis=0)
    return np.concatenate([[[0, 0]], np.cumsum((steps + 0.5) % 1 - 0.5, axis=0)]) * (112, 84)


@settings(max_examples=15)
@given(seeds, st.sampled_from([4, 8]))
def test_the_named_shape_moves_that_way(clip, frames, seed, directions):
    sample = sampled(clip, frames, only("direction", directions=directions, distractors=0), seed)
    (shape,) = sample.videos[0].transform["shapes"]
    move = unwrapped(shape)[-1]
    np.testing.assert_allclose(move / np.linalg.norm(move), COMPASS[sample.answer], atol=0.01)
    assert directions == 8 or "-" not in sample.answer


@settings(max_examples=15)
@given(seeds, st.sampled_from([1.3, 2.0, 3.0]))
def test_the_right_one_is_faster_by_the_ratio(clip, frames, seed, ratio):
    sample = sampled(clip, frames, only("faster", ratio=ratio), seed)
    speeds = [np.linalg.norm(track[-1]) for track in named(sample)]
    assert int(np.argmax(speeds)) + 1 == int(sample.answer)
    assert max(speeds) / min(speeds) == pytest.approx(ratio, rel=0.02)


@settings(max_examples=15)
@given(seeds, st.sampled_from([3, 4]))
def test_the_order_is_that_of_the_events(clip, frames, seed, n):
    sample = sampled(clip, frames, only("order", num_events=n, min_gap=4), seed)
    event, when = sample.details["event"], []
    for track in named(sample):
        steps = np.diff(track, axis=0)
        change = np.linalg.norm(np.diff(steps, axis=0), axis=1)
        when.append(int(change.argmax()) + 1)
        before, after = steps[when[-1] - 1], steps[when[-1]]
        still = {"stop": after, "start": before, "turn": before + after}[event]
        assert np.linalg.norm(still) < 0.05
        assert max(np.linalg.norm(before), np.linalg.norm(after)) > 1
        assert np.delete(change, when[-1] - 1).max() < 0.05  # nothing else happens
    assert "".join(str(i + 1) for i in np.argsort(when)) == sample.answer
    assert when == sample.details["frames"]
    assert all(frame % 2 for frame in when)  # no merged pair shows both motions
    assert np.diff(np.sort(when)).min() >= 4


@settings(max_examples=15)
@given(seeds, st.integers(3, 5), st.integers(1, 5))
def test_the_hidden_thing_is_followed_by_where_its_square_goes(clip, frames, seed, cups, swaps):
    difficulty = only("hidden", num_cups=cups, num_swaps=swaps, size=0.13, distractors=1)
    sample = sampled(clip, frames, difficulty, seed)
    _, *squares, guest = sample.videos[0].transform["shapes"]
    tracks = [places(square, T) for square in squares]
    holder = next(track for track in tracks if np.allclose(track[0], places(guest, T)[0]))
    left_of = sum(track[-1, 0] < holder[-1, 0] for track in tracks)
    assert str(left_of + 1) == sample.answer
    moved = np.flatnonzero([(track != track[0]).any(axis=1) for track in tracks]) % T
    assert guest["until"] <= moved.min() + 1  # the last frame that shows it is the first of the motion, or before
    looks = [{k: v for k, v in square.items() if k != "path"} for square in squares]
    assert all(look == looks[0] for look in looks)
    for a, b in zip(*np.triu_indices(cups, 1), strict=True):
        assert (np.abs((tracks[a] - tracks[b]) * (112, 84)).max(axis=1) > 0.13 * 84).all()  # never over one another


def law(values, outcomes):
    """p-value of the counts under evenly likely outcomes."""
    counts = np.array([Counter(values)[outcome] for outcome in outcomes])
    expected = len(values) / len(outcomes)
    return chi2.sf(((counts - expected) ** 2 / expected).sum(), len(outcomes) - 1)


@pytest.mark.parametrize(
    ("difficulty", "outcomes"),
    [
        (only("direction"), DIRECTIONS),
        (only("direction", directions=4), ("up", "right", "down", "left")),
        (only("faster"), "12"),
        (only("order"), ("123", "132", "213", "231", "312", "321")),
        (only("hidden"), "123"),
        (only("hidden", num_cups=4, num_swaps=1, size=0.12), "1234"),
    ],
)
def test_answers_are_even(clip_of, frames, difficulty, outcomes):
    few, clip = frames[::2], clip_of(24)
    answers = [sampled(clip, few, difficulty, seed).answer for seed in range(150)]
    assert set(answers) <= set(outcomes)
    assert law(answers, outcomes) > 1e-4


@pytest.mark.parametrize("frame", [0, 23, 47])
def test_no_frame_tells_the_direction(clip, frames, frame):
    """In each quarter of the picture all answers are as likely: the best rule that knows the place gains nothing."""
    samples = [sampled(clip, frames, only("direction", directions=4, distractors=0), seed) for seed in range(160)]
    cells = [tuple((places(s.videos[0].transform["shapes"][0], T)[frame] * 2).astype(int).tolist()) for s in samples]
    both = [(*cell, s.answer) for cell, s in zip(cells, samples, strict=True)]
    assert law(both, [(x, y, way) for x in (0, 1) for y in (0, 1) for way in ("up", "right", "down", "left")]) > 1e-4


def test_where_the_hidden_thing_begins_does_not_tell_where_it_ends(clip, frames):
    for swaps in (1, 4):
        samples = [sampled(clip, frames, only("hidden", num_swaps=swaps), seed) for seed in range(120)]
        pairs = [(s.details["first"], int(s.answer)) for s in samples]
        assert law(pairs, [(i, j) for i in (1, 2, 3) for j in (1, 2, 3)]) > 1e-4


def test_kinds_are_drawn_evenly(clip, frames):
    kinds = [sampled(clip, frames, Difficulty(), seed).details["kind"] for seed in range(100)]
    assert law(kinds, KINDS) > 1e-4


@settings(max_examples=5)
@given(seeds)
def test_equal_seeds_give_equal_samples_and_pixels(clip, frames, seed):
    one, two = (sampled(clip, frames, PRESETS["motion_primitives"], seed) for _ in range(2))
    assert one == two
    transform = json.loads(json.dumps(one.videos[0].transform))
    before = frames.copy()
    shown = render(transform, frames)
    np.testing.assert_array_equal(shown, render(one.videos[0].transform, frames))
    np.testing.assert_array_equal(frames, before)
    assert (shown != frames).any(axis=(1, 2, 3)).all()  # in each frame
    assert len(json.dumps(transform)) < 4000


def test_questions_by_hand(clip, frames):
    question = sampled(clip, frames, only("direction", directions=4), 0).question
    assert question.startswith(
        "<video>\nShapes were drawn over this video. They move, and what leaves the picture on one side comes back on "
        "the opposite side. In which direction does the "
    )
    assert question.endswith(" move? Answer only with one of these: up, right, down, left.")
    assert "for example 231." in sampled(clip, frames, only("order"), 0).question
    assert "a number from 1 to 3." in sampled(clip, frames, only("hidden"), 0).question


def test_distractors_share_a_colour_or_a_shape_with_the_named_and_no_look_comes_twice(clip, frames):
    for seed in range(20):
        shapes = sampled(clip, frames, only("direction", distractors=4), seed).videos[0].transform["shapes"]
        *others, own = [(tuple(shape["colour"]), shape["shape"]) for shape in shapes]
        assert [[a == b for a, b in zip(other, own, strict=True)] for other in others[:2]] == [
            [True, False],
            [False, True],
        ]
        assert len({own, *others}) == 5


def test_what_does_not_stand_out_is_refused(clip, frames):
    noise = np.random.default_rng(0).choice(np.array(list(COLOURS.values()), np.uint8), (T, 84, 112))
    for kind in ("direction", "hidden"):
        with pytest.raises(CannotDraw, match="no colour") as error:
            sampled(clip, noise, only(kind, see_through=0.8), 0)
        assert error.value.reason == "no_contrast"


def test_no_room_and_too_few_frames_are_refused(clip_of, frames):
    with pytest.raises(CannotDraw, match="hide each other") as error:
        sampled(clip_of(48), frames, only("order", num_events=6, size=0.3, min_gap=2), 1)
    assert error.value.reason == "no_room"
    for difficulty in (only("order"), only("hidden")):
        with pytest.raises(CannotDraw, match="8 frames are too few") as error:
            sampled(clip_of(8), frames[:8], difficulty, 0)
        assert error.value.reason == "too_few_frames"


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"kinds": "order"}, "kinds must be a list"),
        ({"kinds": ()}, "kinds is"),
        ({"kinds": ("order", "order")}, "kinds is"),
        ({"kinds": ("up",)}, "unknown kind 'up'"),
        ({"directions": 6}, "directions must be 4 or 8"),
        ({"ratio": 1.0}, "ratio must be"),
        ({"num_events": 2}, "num_events must be 3 to 6"),
        ({"num_cups": 2}, "num_cups must be 3 to 5"),
        ({"num_cups": 5, "size": 0.2}, "size must be"),
        ({"speed": 0.2}, "speed must be"),
        ({"see_through": 1.0}, "see_through and flicker"),
    ],
)
def test_wrong_knobs(knobs, sentence):
    with pytest.raises(ValueError, match=sentence):
        Difficulty(**knobs)


@pytest.mark.parametrize(
    "change",
    [
        {"path": []},
        {"path": [[0, 0.5, float("nan")]]},
        {"path": [[5, 0.5, 0.5], [5, 0.6, 0.5]]},
        {"path": [[0, 1e9, 0.5]]},
        {"shape": "star"},
        {"size": 7},
        {"colour": [1, 2]},
        {"until": None},
    ],
)
def test_a_shape_that_cannot_be_is_refused(frames, change):
    shape = {"shape": "circle", "size": 0.2, "angle": 0, "colour": [1, 2, 3], "path": [[0, 0.5, 0.5]], "until": 48}
    transform = {"shapes": [shape | change], "see_through": 0.0, "flicker": 0.0, "seed": 0}
    with pytest.raises(ValueError, match=r"path|shape|circle"):
        render(transform, frames)
