import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.shapes import MIN_CONTRAST, SHAPES, contrast, draw_shapes, place_shapes

SIZES = [(56, 56), (112, 112), (168, 336), (336, 168), (140, 392)]


def flat(height, width, value=20):
    return np.full((height, width, 3), value, np.uint8)


def masks(shape, places, height, width):
    """Every pixel that one instance touches, for each instance alone."""
    out = []
    for place in places:
        canvas = np.zeros((height, width, 3), np.uint8)
        draw_shapes(canvas, shape, [[*place[:4], 255, 255, 255]])
        out.append(canvas.any(axis=2))
    return np.array(out)


@settings(max_examples=60)
@given(st.sampled_from(SHAPES), st.integers(1, 4), st.sampled_from(SIZES), st.integers(0, 2**32))
def test_instances_are_apart_and_inside(shape, count, size, seed):
    places = place_shapes(flat(*size), shape, count, np.random.default_rng(seed))
    assert len(places) == count
    # Also at sizes whose aspect ratio differs by up to 10 % after rounding.
    h, w = size
    for height, width in (size, (2 * h, 2 * w), (round(h * 0.91), w), (h, round(w * 0.91))):
        drawn = masks(shape, places, height, width)
        assert drawn.any(axis=(1, 2)).all()
        assert drawn.sum(axis=0).max() == 1
        edge = np.ones((height, width), bool)
        edge[1:-1, 1:-1] = False
        assert not (drawn & edge).any()


@settings(max_examples=30)
@given(st.sampled_from(SHAPES), st.integers(1, 4), st.integers(0, 2**32))
def test_shapes_can_be_counted_in_the_picture(shape, count, seed):
    frame = flat(224, 224, 0)
    draw_shapes(frame, shape, place_shapes(frame, shape, count, np.random.default_rng(seed)))
    found, _ = cv2.connectedComponents((frame.max(axis=2) > 0).astype(np.uint8))
    assert found - 1 == count


@pytest.mark.parametrize("shape", SHAPES)
def test_sizes_are_the_releases(shape):
    sizes = [place_shapes(flat(168, 336), shape, 1, np.random.default_rng(s))[0][2] for s in range(200)]
    assert 0.2 <= min(sizes) < 0.21
    assert 0.39 < max(sizes) <= 0.4


def test_four_squares_in_a_square_get_smaller_rather_than_fail():
    for seed in range(50):
        places = place_shapes(flat(112, 112), "square", 4, np.random.default_rng(seed))
        assert all(0.1 <= place[2] <= 0.4 for place in places)


def test_hopeless_counts_are_refused():
    with pytest.raises(CannotDraw, match="60 squares"):
        place_shapes(flat(112, 112), "square", 60, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("shape", "area"),
    [("circle", np.pi / 4), ("square", 1.0), ("triangle", np.sqrt(3) / 4)],
)
@pytest.mark.parametrize("angle", [0, 17, 45])
def test_areas_by_hand(shape, area, angle):
    frame = np.zeros((400, 400, 3), np.uint8)
    draw_shapes(frame, shape, [[0.5, 0.5, 0.3, angle, 255, 255, 255]])
    assert frame[..., 0].sum() / 255 == pytest.approx(area * 120**2, rel=0.03)
    rows, columns = np.nonzero(frame[..., 0] > 127)
    if shape != "triangle":
        assert rows.mean() == pytest.approx(199.5, abs=0.6)
        assert columns.mean() == pytest.approx(199.5, abs=0.6)


def test_a_square_at_angle_zero_has_level_sides():
    frame = np.zeros((200, 200, 3), np.uint8)
    draw_shapes(frame, "square", [[0.5, 0.5, 0.5, 0, 10, 20, 30]])
    assert (frame[52:148, 52:148] == [10, 20, 30]).all()
    assert not frame[:48].any()


def test_edges_are_smooth():
    frame = np.zeros((100, 100, 3), np.uint8)
    draw_shapes(frame, "triangle", [[0.5, 0.5, 0.4, 10, 200, 200, 200]])
    assert ((frame > 20) & (frame < 180)).any()


@pytest.mark.parametrize("shape", SHAPES)
def test_same_picture_at_any_size(shape):
    places = place_shapes(flat(112, 168), shape, 3, np.random.default_rng(1))
    small, large = flat(112, 168), flat(448, 672)
    draw_shapes(small, shape, places)
    draw_shapes(large, shape, places)
    reduced = cv2.resize(large, (168, 112), interpolation=cv2.INTER_AREA)
    difference = np.abs(small.astype(int) - reduced)
    assert difference.mean() < 1.5
    assert (difference > 128).mean() < 0.002


def test_contrast_by_hand():
    place = [0.5, 0.5, 0.4, 0]
    white = flat(60, 60, 255)
    assert contrast(white, (255, 255, 255), "circle", place) == pytest.approx(0, abs=0.5)
    assert contrast(white, (0, 0, 0), "circle", place) == pytest.approx(100, abs=0.5)
    split = white.copy()
    split[:, :30] = 0  # half of the background has the shape's colour
    assert contrast(split, (255, 255, 255), "square", place) == pytest.approx(0, abs=0.5)
    assert contrast(split, (255, 0, 0), "square", place) > MIN_CONTRAST


@settings(max_examples=30)
@given(
    st.sampled_from(SHAPES),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 999),
)
def test_colours_stand_out_and_come_from_the_releases_range(shape, red, green, blue, seed):
    frame = np.empty((56, 56, 3), np.uint8)
    frame[:] = red, green, blue
    for place in place_shapes(frame, shape, 2, np.random.default_rng(seed)):
        assert contrast(frame, place[4:], shape, place) >= MIN_CONTRAST
        assert all(50 <= channel <= 255 for channel in place[4:])


def test_the_place_is_plain_json():
    place = place_shapes(flat(56, 56), "circle", 1, np.random.default_rng(0))[0]
    assert [type(value) for value in place] == [float, float, float, int, int, int, int]


@pytest.mark.parametrize("width", [336, 303, 373])  # as placed, and 10 % narrower and wider
def test_circumscribed_circles_keep_the_gap(width):
    closest = []
    for seed in range(200):
        places = np.array(place_shapes(flat(168, 336), "square", 3, np.random.default_rng(seed)))
        centres, radii = places[:, :2] * [width / 168, 1], places[:, 2] * np.sqrt(0.5)
        distances = np.linalg.norm(centres[:, None] - centres, axis=2) - radii[:, None] - radii
        closest.append(distances[np.triu_indices(3, 1)].min())
    assert min(closest) > 0.035  # of the short side; 0.04 less the rounding of places
