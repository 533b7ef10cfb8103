"""Whether a segment's place can be told: by tables of differences made by hand, and on pictures."""

import numpy as np
import pytest

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.segment_places import check_place, common, differences

LAW = ((4, 6), 4, 2)  # lengths, frames compared, stride


def apart(values):
    """(T, T) differences of frames that are numbers."""
    values = np.asarray(values, float)
    return np.abs(values[:, None] - values[None])


def check(values, start, stop):
    return check_place(apart(values), (start, stop), *LAW)


def test_a_line_has_one_place_everywhere():
    facts = check(np.arange(20) / 20, 4, 8)
    assert facts == {"border": 0.1, "rival": 0.2, "moved": 0.05}


def test_what_comes_again_is_refused():
    once = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    with pytest.raises(CannotDraw, match="another segment looks like it") as refused:
        check([*once, *once, *once], 6, 10)
    assert refused.value.reason == "not_unique"


def test_what_comes_again_at_half_the_speed_is_refused_too():
    slow = np.repeat([0.0, 0.1, 0.2, 0.3], 2)[:6]
    with pytest.raises(CannotDraw, match="another segment looks like it"):
        check_place(apart([*slow, 0.9, 0.7, 0.0, 0.1, 0.2, 0.9, 0.8]), (8, 12), range(2, 7, 2), 3, 2)


@pytest.mark.parametrize("still", [range(2, 7), range(6, 11)])
def test_a_border_in_stillness_is_refused(still):
    values = np.arange(20) / 20
    values[list(still)] = values[still[0]]
    with pytest.raises(CannotDraw, match="nothing moves at a border") as refused:
        check(values, 4, 8)
    assert refused.value.reason == "no_motion"


def test_common_parts():
    assert common((0.0, 0.1, 0.6), (0.3, 0.0, 0.7)) == pytest.approx((0.3, 0.1, 0.6, 0.7))


def test_light_is_no_difference_and_neither_is_what_one_video_hides():
    scene = np.kron(np.random.default_rng(0).integers(40, 200, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)[None]
    dimmed, changed = (scene * 0.7).astype(np.uint8), scene.copy()
    changed[:, :, :32] = np.random.default_rng(1).integers(0, 255, (1, 48, 32, 3), np.uint8)
    frames = np.concatenate([scene, dimmed, changed])
    right, whole = differences(frames, (0.5, 0.0, 1.0, 1.0)), differences(frames, (0.0, 0.0, 1.0, 1.0))
    assert right.max() < 0.02
    assert whole[0, 2] > 0.1
    np.testing.assert_array_equal(np.diag(whole), 0)
