"""Views by hand, and what is refused."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.views import draw_view, light_of, through

FLAT = {"place": [0.0, 0.0], "side": 1.0, "mirror": False}


def picture(seed=0, frames=2):
    return np.random.default_rng(seed).integers(0, 256, (frames, 60, 80, 3), np.uint8)


def light(frames):
    mean, spread = light_of(frames).tolist()
    return {"mean": mean, "spread": spread}


def test_the_whole_picture_in_its_own_light_is_itself():
    frames = picture()
    assert np.abs(through(FLAT | light(frames), frames).astype(int) - frames).max() <= 1
    mirrored = through(FLAT | light(frames) | {"mirror": True}, frames)
    assert np.abs(mirrored.astype(int) - frames[:, :, ::-1]).max() <= 1


def test_a_part_fills_the_picture():
    frames = np.zeros((2, 60, 80, 3), np.uint8)
    frames[:, 15:45, 20:60] = 200  # half of each side, at a quarter
    frames[:, 15:45, 40:60] = 100
    view = FLAT | {"place": [0.25, 0.25], "side": 0.5} | light(frames[:, 15:45, 20:60])
    shown = through(view, frames)
    assert shown.shape == frames.shape
    assert (np.abs(shown[:, :, :38].astype(int) - 200) <= 1).all()
    assert (np.abs(shown[:, :, 42:].astype(int) - 100) <= 1).all()


@given(st.floats(0.3, 1), st.integers(0, 60))
def test_light_is_even_whatever_it_was(dim, lift):
    frames = (cv2.GaussianBlur(picture()[0].astype(float), (0, 0), 6)[None] - 127) * 8
    frames = np.clip(frames + 95, 0, 190).astype(np.uint8)
    view = FLAT | {"mean": [110.0] * 3, "spread": [30.0] * 3}
    shown = through(view, (frames * dim + lift).astype(np.uint8))
    np.testing.assert_allclose(light_of(shown), [[110] * 3, [30] * 3], atol=3)


@given(st.floats(0.2, 0.99), st.integers(0, 10**6))
def test_a_drawn_view_is_data_and_can_be_shown(side, seed):
    frames = picture()
    view = draw_view(frames, [255 - frames], light_of(frames), side, np.random.default_rng(seed))
    again = json.loads(json.dumps(view))
    np.testing.assert_array_equal(through(again, frames), through(view, frames))


def test_what_looks_the_same_in_every_part_has_no_view():
    frames = picture()
    with pytest.raises(CannotDraw, match=r"in no part of 0[.]5"):
        draw_view(frames, [255 - frames, frames], light_of(frames), 0.5, np.random.default_rng(0))
    dimmed = (frames * 0.5).astype(np.uint8)  # only the light differs
    with pytest.raises(CannotDraw, match=r"in no part of 0[.]5"):
        draw_view(frames, [dimmed], light_of(frames), 0.5, np.random.default_rng(0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": 0},
        {"side": 1.5},
        {"place": [0.5, 0.0]},
        {"place": [-0.1, 0.0]},
        {"mirror": "yes"},
        {"mean": [300, 0, 0]},
        {"spread": [1, 1]},
        {"spread": [float("nan")] * 3},
    ],
)
def test_no_view(wrong):
    with pytest.raises(ValueError, match="a view"):
        through(FLAT | light(picture()) | wrong, picture())
