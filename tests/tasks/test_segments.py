"""Segments: the law by which they are drawn, and their labels."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.segments import check_lengths, draw_segment, interval, label


def test_all_lengths_are_as_likely_and_so_are_all_places_of_one():
    """The law that `reward_fns.intervals.Law` tells, in 40,000 draws."""
    rng, draws = np.random.default_rng(0), 40_000
    seen = Counter(draw_segment(11, 4, 8, 2, rng) for _ in range(draws))
    law = {(s, s + n): Fraction(1, 3 * len(range(0, 12 - n, 2))) for n in (4, 6, 8) for s in range(0, 12 - n, 2)}
    assert set(seen) == set(law)
    for segment, probability in law.items():
        spread = (probability * (1 - probability) / draws) ** 0.5
        assert seen[segment] / draws == pytest.approx(float(probability), abs=5 * spread)


def test_interval_by_hand():
    clock = [0.0, 0.5, 1.5, 1.75]
    assert interval(clock, 1, 3) == (0.5, 1.75)
    assert interval(clock, 2, 4) == (1.5, 2.0)  # the last frame lasts 0.25 s, as the one before


def test_a_label_has_one_decimal_and_two_different_ends():
    assert label([0.0, 0.52, 1.04], 1, 2) == "0.5-1.0"
    with pytest.raises(CannotDraw, match="same tenth of a second"):
        label([0.0, 0.52, 0.54], 1, 2)


@pytest.mark.parametrize(
    ("lengths", "sentence"), [((1, 4, 1), "2 <= min_length"), ((4, 2, 2), "2 <= min_length"), ((4, 7, 2), "multiples")]
)
def test_lengths_that_cannot_be(lengths, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_lengths(*lengths)
