import numpy as np
import pytest

from videossr_verl.tasks.frames.moving_shapes import draw_moving, places, stands_out
from videossr_verl.tasks.frames.shapes import SHAPES

WHITE = {"shape": "circle", "size": 0.3, "angle": 0, "colour": [255, 255, 255], "until": 9}


def drawn(path, shape="circle", see_through=0.0, flicker=0.0, size=(40, 60), count=9, **change):
    frames = np.zeros((count, *size, 3), np.uint8)
    draw_moving(frames, [WHITE | {"path": path, "shape": shape} | change], see_through, flicker, 0)
    return frames


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(80, 120), (91, 63)])
def test_a_shape_keeps_its_area_wherever_it_is_on_the_torus(shape, size):
    path = [[0, 0.5, 0.5], [8, 1.33, -0.91]]
    area = drawn(path, shape, size=size)[..., 0].sum(axis=(1, 2)) / 255
    side = 0.3 * min(size)
    exact = {"circle": np.pi / 4, "square": 1, "triangle": 3**0.5 / 4}[shape] * side**2
    np.testing.assert_allclose(area, exact, rtol=0.06)


def test_the_centre_of_mass_moves_below_a_pixel():
    frames = drawn([[0, 0.4, 0.5], [8, 0.5, 0.5]])[..., 0].astype(float)
    x = (frames.sum(axis=1) @ (np.arange(60) + 0.5)) / frames.sum(axis=(1, 2))
    np.testing.assert_allclose(x, 60 * np.linspace(0.4, 0.5, 9), atol=0.05)


def test_half_of_a_shape_at_the_border_is_on_the_other_side():
    frame = drawn([[0, 1.0, 0.5]])[0, ..., 0].astype(float)
    assert frame[:, :10].sum() == pytest.approx(frame[:, -10:].sum(), rel=0.05)
    assert not frame[:, 15:45].any()


def test_places_stand_still_beyond_the_path():
    at = places({"path": [[2, 0.9, 0.5], [4, 1.1, 0.5]]}, 7)
    np.testing.assert_allclose(at[:, 0], [0.9, 0.9, 0.9, 0, 0.1, 0.1, 0.1], atol=1e-9)


def test_what_shows_through_and_flickers():
    inside = drawn([[0, 0.5, 0.5]], see_through=0.4)[:, 20, 30, 0]
    assert set(inside.tolist()) == {153}  # 255 * 0.6
    levels = drawn([[0, 0.5, 0.5]], flicker=0.5, colour=[100, 100, 100])[:, 20, 30, 0]
    assert 49 <= levels.min() < levels.max() <= 151
    assert len(set(levels.tolist())) > 5


def test_until():
    frames = drawn([[0, 0.5, 0.5]], until=4)
    assert frames[:4].any(axis=(1, 2, 3)).all()
    assert not frames[4:].any()


def test_standing_out():
    dark = np.zeros((9, 40, 60, 3), np.uint8)
    shape = WHITE | {"path": [[0, 0.5, 0.5]]}
    assert stands_out(dark, shape, 0.5)
    assert not stands_out(dark, shape, 0.8)  # a fifth of white's 100 is below 25
    assert not stands_out(dark, shape | {"colour": [20, 20, 20]}, 0)
    bright = dark.copy()
    bright[:3] = 255  # a third of the frames
    assert not stands_out(bright, shape, 0)
