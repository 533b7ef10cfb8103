import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.tasks.frames.direction import has_cut, unlike_reverse


def path(values):
    """Thumbnails (T, 16, 16, 3) whose level follows `values`, 0 to 1."""
    return np.broadcast_to(255 * np.asarray(values, np.float32)[:, None, None, None], (len(values), 16, 16, 3))


@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=8), st.booleans())
def test_a_palindrome_is_its_own_reverse(values, odd):
    assert unlike_reverse(path([*values, *values[::-1][odd:]])) == 0


@given(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=12))
def test_both_ways_differ_as_much(values):
    assert unlike_reverse(path(values)) == pytest.approx(unlike_reverse(path(values[::-1])))


def test_by_hand():
    assert unlike_reverse(path([0, 0.1, 0.2, 0.3])) == pytest.approx(0.1, abs=1e-6)  # with half of it laid over
    assert unlike_reverse(path([0, 0, 0, 0, 0, 0, 0.5, 1])) == 0  # stands still for more than half of the time
    assert unlike_reverse(path([0, 0.2, 0.4, 0.6, 0.4, 0.2])) == 0  # turns, and not in the middle


def test_cuts():
    assert has_cut(path([0.1, 0.12, 0.14, 0.8, 0.82]))
    assert not has_cut(path([0.1, 0.3, 0.5, 0.7, 0.9]))
    assert not has_cut(path([0.1, 0.1, 0.1, 0.15, 0.15]))  # a small step is no cut
