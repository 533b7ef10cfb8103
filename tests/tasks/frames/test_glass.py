"""Glass: what it changes and what it must not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.tasks.frames.glass import check_glass, draw_glass, stained, tilted

CLEAR = {"tilt": 0.0, "gamma": 1.0, "hue": 0.0, "blur": 0.0}


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (2, 30, 40, 3), np.uint8)


@given(st.floats(0, 1), st.floats(0, 45), st.integers(0, 2**32))
def test_whatever_is_drawn_is_allowed_and_the_same_again(strength, tilt, seed):
    glass = draw_glass(strength, tilt, np.random.default_rng(seed))
    check_glass(glass)
    assert glass == draw_glass(strength, tilt, np.random.default_rng(seed))
    assert abs(glass["tilt"]) <= tilt + 0.05


def test_no_strength_is_clear():
    assert draw_glass(0, 0, np.random.default_rng(0)) == pytest.approx(CLEAR)
    np.testing.assert_array_equal(stained(CLEAR, picture()), picture())
    np.testing.assert_array_equal(tilted(CLEAR, picture(), (0.3, 0.6)), picture())


def test_a_third_of_a_turn_of_the_hue_moves_each_colour_to_the_next():
    red, grey = np.zeros((1, 2, 2, 3), np.uint8), np.full((1, 2, 2, 3), 90, np.uint8)
    red[..., 0] = 200
    seen = {turn: stained({**CLEAR, "hue": turn}, red)[0, 0, 0].tolist() for turn in (120.0, -120.0)}
    assert sorted(seen.values()) == [[0, 0, 200], [0, 200, 0]]
    np.testing.assert_array_equal(stained({**CLEAR, "hue": 120.0}, grey), grey)


def test_gamma_is_an_exponent_of_grey_levels():
    grey = np.full((1, 2, 2, 3), 64, np.uint8)
    assert (stained({**CLEAR, "gamma": 1.5}, grey) == round(255 * (64 / 255) ** 1.5)).all()


def test_a_tilt_turns_about_its_centre():
    dot = np.zeros((1, 41, 41, 3), np.uint8)
    dot[0, 20, 30] = 255
    turned = tilted({**CLEAR, "tilt": 45.0}, dot, (20 / 41, 20 / 41))[0, ..., 0]
    row, column = np.unravel_index(turned.argmax(), turned.shape)
    assert (row, column) == (13, 27)  # 10 / sqrt(2) up and to the right


@pytest.mark.parametrize("wrong", [{"tilt": 60.0}, {"gamma": 0.0}, {"hue": 1e9}, {"blur": 1.0}, {"more": 1.0}])
def test_no_other_glass(wrong):
    with pytest.raises(ValueError, match="no glass is"):
        check_glass({**CLEAR, **wrong})
