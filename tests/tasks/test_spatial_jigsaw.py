"""The label restores the picture; what would make it uncertain is refused."""

import json
from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.grid import GREY
from videossr_verl.tasks.frames.views import light_of
from videossr_verl.tasks.spatial_jigsaw import PRESETS, Difficulty, draw, render

GRIDS = [(2, 2), (2, 3), (3, 2), (3, 3), (1, 4), (2, 4)]
# What OpenCV does to bring a turned picture back: nothing, a mirror, or a rotation.
BACK = {
    "U": lambda picture: picture,
    "M": lambda picture: cv2.flip(picture, 1),
    "R": lambda picture: cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE),
    "D": lambda picture: cv2.rotate(picture, cv2.ROTATE_180),
    "L": lambda picture: cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE),
}


def rng(seed=0):
    return np.random.default_rng(seed)


def world(height=96, width=144, count=6, seed=0):
    """(count, height, width, 3): a fine texture that moves, unlike itself everywhere and in every turn."""
    texture = cv2.resize(
        rng(seed).uniform(20, 235, (30, 42, 3)), (width + 40, height + 40), interpolation=cv2.INTER_CUBIC
    )
    moved = [texture[3 * i : 3 * i + height, 5 * i : 5 * i + width] for i in range(count)]
    return np.stack(moved).clip(30, 255).astype(np.uint8)


def drawn(clip_of, frames, difficulty, seed=0):
    return draw(clip_of(len(frames)), frames, difficulty, rng(seed))


def shown_pieces(frames, rows, columns):
    """The middles of the cells, without the grey between them."""
    height, width = frames.shape[1] // rows, frames.shape[2] // columns
    side = min(height, width) // 2
    middles = [
        (height * row + height // 2, width * column + width // 2) for row in range(rows) for column in range(columns)
    ]
    return [frames[:, y - side // 2 : y + side // 2, x - side // 2 : x + side // 2] for y, x in middles]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(GRIDS), st.booleans(), st.integers(0, 2**32))
def test_the_answer_restores_the_picture(clip_of, grid, turns, seed):
    """Whole regions: the answer, read by hand and laid by hand, gives the picture again."""
    rows, columns = grid
    frames = world(48 * rows, 48 * columns)
    sample = drawn(clip_of, frames, Difficulty(rows, columns, view=1.0, even_light=False, turns=turns), seed)
    (spec,) = sample.videos
    pieces = shown_pieces(render(spec.transform, frames), rows, columns)
    named = [(item[0], item[1]) for item in sample.answer.split(",")] if turns else [(n, "U") for n in sample.answer]
    assert sorted(number for number, _ in named) == [str(i + 1) for i in range(rows * columns)]
    originals = [coarse(piece) for piece in shown_pieces(frames, rows, columns)]
    for place, (number, turn) in enumerate(named):
        piece = coarse([BACK[turn](np.ascontiguousarray(picture)) for picture in pieces[int(number) - 1]])
        apart = [np.abs(piece - original).mean() for original in originals]
        assert int(np.argmin(apart)) == place
        if turns:  # and in no other turn it is as near
            others = [BACK[other](np.ascontiguousarray(p)) for other in BACK for p in pieces[int(number) - 1][:1]]
            assert np.argmin([np.abs(coarse([p]) - originals[place][:1]).mean() for p in others]) == list(BACK).index(
                turn
            )


def coarse(pictures):
    """(T, 6, 6, 3): a piece is shown at 0.96 of its size, so its middle shows a little more."""
    return np.stack([cv2.resize(p, (6, 6), interpolation=cv2.INTER_AREA) for p in pictures]).astype(float)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(GRIDS), st.booleans(), st.booleans(), st.sampled_from([0.5, 0.8]), st.integers(0, 2**32))
def test_a_row_is_data_and_shows_the_same_again(clip_of, grid, light, turns, view, seed):
    frames = world()
    try:
        sample = drawn(clip_of, frames, Difficulty(*grid, view=view, even_light=light, turns=turns), seed)
    except CannotDraw:
        return
    assert sample == drawn(clip_of, frames, Difficulty(*grid, view=view, even_light=light, turns=turns), seed)
    (spec,) = sample.videos
    shown = render(json.loads(json.dumps(spec.transform)), frames)
    np.testing.assert_array_equal(shown, render(spec.transform, frames))
    assert shown.shape == frames.shape
    assert shown.dtype == np.uint8
    assert shown is not frames
    assert (spec.times, spec.clock) == (clip_of(6).times, clip_of(6).clock)


def test_orders_and_turns_are_even(clip_of):
    frames = world(96, 96)
    answers = [drawn(clip_of, frames, Difficulty(2, 2, turns=True), seed).answer for seed in range(600)]
    orders = Counter("".join(item[0] for item in answer.split(",")) for answer in answers)
    turns = Counter(turn for answer in answers for turn in answer if turn.isalpha())
    assert len(orders) == 24
    assert min(orders.values()) > 8  # expected 25, standard deviation 5
    assert min(turns.values()) > 480 - 4 * 20  # expected 480, standard deviation 20
    assert len(turns) == 5


def test_all_pieces_in_even_light(clip_of):
    frames = world().astype(float)
    frames[:, :, :70] *= 0.6
    frames = frames.clip(30, 255).astype(np.uint8)
    sample = drawn(clip_of, frames, Difficulty(view=0.8))
    pieces = shown_pieces(render(sample.videos[0].transform, frames), 2, 3)
    means = [light_of(np.ascontiguousarray(piece))[0] for piece in pieces]
    before = [light_of(np.ascontiguousarray(piece))[0] for piece in shown_pieces(frames, 2, 3)]
    assert np.ptp(means, axis=0).max() < 25 < np.ptp(before, axis=0).max()


def test_grey_shows_between_the_pieces(clip_of):
    frames = world()
    shown = render(drawn(clip_of, frames, Difficulty()).videos[0].transform, frames)
    for line in (shown[:, 47:49], shown[:, :, 47:49], shown[:, :, 95:97], shown[:, :1], shown[:, :, -1:]):
        assert (line == GREY).all()


def spoilt(kind):
    frames = world()
    if kind == "empty_piece":
        frames[:, :48, :48] = 90
    elif kind == "still_piece":
        frames[:, :48, :48] = frames[0, :48, :48]
    elif kind == "like_pieces":
        frames[:, 48:, 48:96] = frames[:, :48, :48]
    elif kind == "black_bars":
        frames[:, :, :5] = 16
    return frames


@pytest.mark.parametrize("kind", ["empty_piece", "still_piece", "like_pieces", "black_bars"])
def test_an_uncertain_label_is_refused(clip_of, kind):
    with pytest.raises(CannotDraw) as refusal:
        drawn(clip_of, spoilt(kind), Difficulty(view=1.0))
    assert refusal.value.reason == kind


def test_light_alone_does_not_make_pieces_differ(clip_of):
    frames = world()
    frames[:, 48:, 48:96] = (frames[:, :48, :48] * 0.7).astype(np.uint8)
    drawn(clip_of, frames, Difficulty(view=1.0, even_light=False))
    with pytest.raises(CannotDraw, match="the regions 1 and 5 look the same, so either fits"):
        drawn(clip_of, frames, Difficulty(view=1.0))


@pytest.mark.parametrize("laid", [lambda p: p[:, :, ::-1], lambda p: p[:, ::-1], lambda p: np.rot90(p, 2, axes=(1, 2))])
def test_turns_need_pieces_without_symmetry(clip_of, laid):
    frames = world(96, 96)
    frames[:, :48, :48] = frames[:, :48, :48] // 2 + laid(frames[:, :48, :48]) // 2
    drawn(clip_of, frames, Difficulty(2, 2, view=1.0))
    with pytest.raises(CannotDraw, match="the region 1 looks the same in two turns") as refusal:
        drawn(clip_of, frames, Difficulty(2, 2, view=1.0, turns=True))
    assert refusal.value.reason == "symmetric_piece"


def test_a_turned_copy_is_alike_only_where_pieces_are_turned(clip_of):
    frames = world(96, 96)
    frames[:, 48:, 48:] = np.rot90(frames[:, :48, :48], 1, axes=(1, 2))
    drawn(clip_of, frames, Difficulty(2, 2, view=1.0))
    with pytest.raises(CannotDraw, match="the regions 1 and 4 look the same"):
        drawn(clip_of, frames, Difficulty(2, 2, view=1.0, turns=True))


def test_questions_by_hand(clip_of):
    plain = drawn(clip_of, world(), Difficulty()).question
    assert plain == (
        "<video>\nThe picture of this video was cut into 6 regions, 2 rows of 3, and a part of each region is shown in "
        "a random place of the same grid, all through the video. The pieces that you see have the numbers 1 to 6, from "
        "left to right and from top to bottom. Which piece belongs into each place of the original picture? Name the "
        "pieces in the order of their right places, from left to right and from top to bottom. Answer only with the 6 "
        "numbers, without spaces, for example 246135."
    )
    turned = drawn(clip_of, world(96, 96), Difficulty(2, 2, turns=True)).question
    assert "Each piece is also shown in one of five ways: U upright" in turned
    assert turned.endswith("each with the letter of the way in which it is shown behind it, for example 2M,4R,1D,3L.")


def test_presets(clip_of):
    assert [(one.rows * one.columns, one.turns) for one in PRESETS.values()] == [(6, False), (4, True), (9, True)]


TRANSFORM = {
    "rows": 2,
    "columns": 2,
    "view": 1.0,
    "places": [[0.5, 0.5]] * 4,
    "regions": [3, 2, 1, 0],
    "turns": "UMRD",
    "light": [[100.0] * 3, [30.0] * 3],
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 100},
        {"view": 0},
        {"regions": [0, 1, 2, 2]},
        {"regions": [0, 1, 2]},
        {"places": [[0.5, 2.0]] * 4},
        {"places": [[0.5]] * 4},
        {"turns": "UMR"},
        {"turns": "UMRX"},
        {"light": [[100.0] * 3]},
        {"light": [[300.0] * 3] * 2},
    ],
)
def test_no_transform(wrong):
    assert render(TRANSFORM, world()).shape == world().shape
    with pytest.raises(ValueError, match=r"rows x columns|view|cannot"):
        render(TRANSFORM | wrong, world())


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"rows": 4, "columns": 3}, "must be 4 to 9 pieces, one digit each, got 4 x 3"),
        ({"rows": 1}, "must be 4 to 9 pieces, one digit each, got 1 x 3"),
        ({"view": 0.2}, "view must be from 0.3 to 1"),
        ({"turns": "yes"}, "turns must be true or false, got 'yes'"),
        ({"even_light": 1}, "even_light must be true or false, got 1"),
    ],
)
def test_wrong_knobs(knobs, sentence):
    with pytest.raises(ValueError, match=sentence):
        Difficulty(**knobs)
