import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.video.perturbations import PERTURBATIONS, frames_shown, letterbox, retime

IN_PLACE = sorted(set(PERTURBATIONS) - {"slow", "fast", "swap"})


def pictures(length=8, height=56, width=84, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (length, height, width, 3), np.uint8)


def apply(name, frames, seed=0):
    params = PERTURBATIONS[name].draw(np.random.default_rng(seed), len(frames))
    return PERTURBATIONS[name].apply(frames, params), params


def test_names_are_the_papers_and_the_releases():
    fine_grained = ["saturation", "noise", "blur", "grayscale", "invert", "channel_swap"]
    spatial = ["zoom_in", "zoom_out", "rotate_180", "mirror", "rotate_90", "rotate_270"]
    temporal = ["slow", "fast", "stutter_hold", "shuffle"]
    assert set(PERTURBATIONS) == {*fine_grained, *spatial, *temporal, "swap"}
    assert {p.family for p in PERTURBATIONS.values()} == {"fine_grained", "spatial", "temporal", "other"}
    assert all(name == p.name for name, p in PERTURBATIONS.items())


@pytest.mark.parametrize("name", sorted(PERTURBATIONS))
def test_descriptions_fit_inside_a_sentence(name):
    text = PERTURBATIONS[name].description
    assert text[0].islower()
    assert text[-1].isalpha()


@pytest.mark.parametrize("name", sorted(PERTURBATIONS))
@pytest.mark.parametrize("size", [(56, 84), (84, 56), (57, 57), (28, 112)])
def test_pure_same_size_and_repeatable(name, size):
    frames = pictures(8, *size)
    frames.setflags(write=False)
    after, params = apply(name, frames)
    again, _ = apply(name, frames)
    assert after.shape == frames.shape
    assert after.dtype == np.uint8
    assert not np.shares_memory(after, frames)
    np.testing.assert_array_equal(after, again)
    assert json.loads(json.dumps(params)) == params


@pytest.mark.parametrize("name", IN_PLACE)
def test_views_are_accepted(name):
    frames = pictures(4)[..., ::-1]
    expected, _ = apply(name, frames.copy())
    np.testing.assert_array_equal(apply(name, frames)[0], expected)


@pytest.mark.parametrize("name", sorted(set(IN_PLACE) - {"noise", "stutter_hold", "shuffle"}))
def test_one_strength_for_the_whole_segment(name):
    frames = np.repeat(pictures(1), 6, axis=0)
    after, _ = apply(name, frames)
    np.testing.assert_array_equal(after, np.repeat(after[:1], 6, axis=0))


def test_values_by_hand():
    pixel = np.array([200, 100, 50], np.uint8).reshape(1, 1, 1, 3)
    frames = np.broadcast_to(pixel, (2, 8, 8, 3))
    assert apply("channel_swap", frames)[0][0, 0, 0].tolist() == [50, 100, 200]
    assert apply("invert", frames)[0][0, 0, 0].tolist() == [55, 155, 205]
    # Luma 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124; twice the distance from it, cut off at 0 and 255.
    assert apply("grayscale", frames)[0][0, 0, 0].tolist() == [124, 124, 124]
    assert apply("saturation", frames)[0][0, 0, 0].tolist() == [255, 76, 0]


def test_turns_by_hand():
    frames = np.zeros((1, 40, 40, 3), np.uint8)
    frames[:, :20, :20] = 255  # white quarter at the top left

    def white_corner(name):
        after = apply(name, frames)[0][0]
        corners = {"tl": after[2, 2], "tr": after[2, -3], "bl": after[-3, 2], "br": after[-3, -3]}
        return [name for name, value in corners.items() if value[0] == 255]

    assert white_corner("mirror") == ["tr"]
    assert white_corner("rotate_180") == ["br"]
    assert white_corner("rotate_90") == ["tr"]
    assert white_corner("rotate_270") == ["bl"]


@pytest.mark.parametrize(("name", "low", "high"), [("zoom_in", 1.3, 1.5), ("zoom_out", 1.2, 1.4)])
def test_zoom_factors(name, low, high):
    draws = [PERTURBATIONS[name].draw(np.random.default_rng(s), 8)["factor"] for s in range(100)]
    assert low <= min(draws) < low + 0.03
    assert high - 0.03 < max(draws) <= high


def test_zoom_out_leaves_a_black_border():
    after = PERTURBATIONS["zoom_out"].apply(np.full((1, 120, 240, 3), 255, np.uint8), {"factor": 1.2})
    assert after.any(axis=(0, 3)).sum() == 100 * 200
    assert after[0, 10:110, 20:220].all()


def test_zoom_in_shows_the_middle():
    frames = np.zeros((1, 120, 120, 3), np.uint8)
    frames[:, 20:100, 20:100] = 255
    assert PERTURBATIONS["zoom_in"].apply(frames, {"factor": 1.5}).all()


def test_noise_has_the_drawn_strength_and_differs_by_frame():
    frames = np.full((4, 64, 64, 3), 128, np.uint8)
    after = PERTURBATIONS["noise"].apply(frames, {"sigma": 40.0, "seed": 3}).astype(float)
    assert 37 < after.std() < 41  # a little is cut off at 0 and 255
    assert abs(np.corrcoef(after[0].ravel(), after[1].ravel())[0, 1]) < 0.05
    sigmas = [PERTURBATIONS["noise"].draw(np.random.default_rng(s), 8)["sigma"] for s in range(50)]
    assert all(35 <= sigma <= 70 for sigma in sigmas)


def test_blur_grows_with_the_picture():
    def width_of_edge(size):
        frames = np.zeros((1, size, size, 3), np.uint8)
        frames[:, :, size // 2 :] = 255
        row = PERTURBATIONS["blur"].apply(frames, {"radius": 2.0})[0, 0, :, 0]
        return np.count_nonzero((row > 10) & (row < 245))

    assert width_of_edge(512) == pytest.approx(2 * width_of_edge(256), abs=2)


@given(st.integers(2, 24), st.integers(0, 2**32))
def test_shuffle_moves_both_ends(length, seed):
    params = PERTURBATIONS["shuffle"].draw(np.random.default_rng(seed), length)
    assert sorted(params["order"]) == list(range(length))
    assert params["order"][0] != 0
    assert params["order"][-1] != length - 1


def test_shuffle_draws_every_allowed_order():
    orders = {tuple(PERTURBATIONS["shuffle"].draw(np.random.default_rng(s), 4)["order"]) for s in range(500)}
    assert len(orders) == 24 - 6 - 6 + 2


def test_shuffle_of_one_frame_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        PERTURBATIONS["shuffle"].draw(np.random.default_rng(0), 1)


@given(st.integers(2, 24), st.integers(0, 2**32))
def test_stutter_shows_at_both_borders(length, seed):
    params = PERTURBATIONS["stutter_hold"].draw(np.random.default_rng(seed), length)
    shown = frames_shown("stutter_hold", params, length)
    assert len(shown) == length
    assert shown[0] == shown[1] == 0  # the second frame differs from the clean one
    assert shown[-1] == shown[-2] < length - 1
    assert 1 <= len(set(shown)) == params["holds"] <= 5
    assert (shown <= np.arange(length)).all()


def test_stutter_by_hand():
    assert frames_shown("stutter_hold", {"holds": 3}, 8).tolist() == [0, 0, 2, 2, 2, 5, 5, 5]


def test_retime_by_hand():
    # Frames 2 and 3 at double speed: steps of 1 1 2 2 1, scaled from 7 to 5 seconds.
    times = retime([10, 11, 12, 13, 14, 15], [0, 1, 2, 3, 4, 5], 2, 4, 2.0)
    np.testing.assert_allclose(times, 10 + np.array([0, 1, 2, 4, 6, 7]) * 5 / 7)


@given(
    st.lists(st.floats(0.01, 2), min_size=3, max_size=30),
    st.floats(0.3, 3),
    st.data(),
)
def test_retime_keeps_the_window_and_the_ratio_of_speeds(steps, speed, data):
    clock = np.concatenate([[0], np.cumsum(steps)])
    start = data.draw(st.integers(0, len(clock) - 2))
    stop = data.draw(st.integers(start + 1, len(clock) - 1))
    times = retime(clock + 5, clock, start, stop, speed)
    assert times[0] == 5
    assert times[-1] == pytest.approx(clock[-1] + 5)
    rate = np.diff(times) / np.diff(clock)
    inside = np.zeros(len(rate), bool)
    inside[start:stop] = True
    np.testing.assert_allclose(rate[inside], rate[inside][0])
    if (~inside).any():
        np.testing.assert_allclose(rate[~inside], rate[~inside][0])
        assert rate[inside][0] / rate[~inside][0] == pytest.approx(speed)


def test_letterbox_keeps_the_aspect():
    frames = np.full((2, 20, 40, 3), 255, np.uint8)
    out = letterbox(frames, 60, 60)
    assert out.shape == (2, 60, 60, 3)
    assert out[:, 15:45].all()
    assert not out[:, :15].any()
    assert not out[:, 45:].any()
