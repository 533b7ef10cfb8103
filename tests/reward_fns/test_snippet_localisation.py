"""The law and the chance of snippets. How intervals are read and scored: test_anomaly_grounding, test_spellings."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_fns.snippet_localisation import GUESSES, best_constant, chance, exact_chance, metric, score


def law(frames, shortest, longest, stride):
    """Segments that end at a frame, and their probabilities."""
    lengths = range(shortest, longest + 1, stride)
    for n in lengths:
        starts = range(0, frames - n, stride)  # start + n is at most frames - 1
        for start in starts:
            yield (start, start + n), 1 / (len(lengths) * len(starts))


def iou(a, b):
    one, other = set(range(*a)), set(range(*b))
    return len(one & other) / len(one | other)


def knobs(frames, shortest, longest, stride):
    return {"num_frames": frames, "min_length": shortest, "max_length": longest, "stride": stride}


@pytest.mark.parametrize("setting", [(12, 2, 4, 1), (12, 2, 4, 2), (13, 4, 6, 2), (16, 3, 6, 3), (40, 6, 12, 2)])
def test_chance_is_the_best_constant_by_brute_force(setting):
    segments = list(law(*setting))
    assert sum(p for _, p in segments) == pytest.approx(1)
    best = max(sum(p * iou(guess, segment) for segment, p in segments) for guess in combinations(range(setting[0]), 2))
    assert chance(knobs(*setting)) == pytest.approx(best)
    assert exact_chance(knobs(*setting)) == pytest.approx(max(p for _, p in segments))


def test_a_segment_must_fit_between_frames():
    with pytest.raises(ValueError, match="no segment"):
        chance(knobs(8, 8, 8, 1))
    assert chance(knobs(9, 8, 8, 1)) == 1


@given(st.tuples(st.integers(0, 99), st.integers(0, 99)), st.tuples(st.integers(0, 98), st.integers(1, 40)))
def test_score_and_metric_are_the_overlap(said, true):
    truth = true[0], true[0] + true[1]
    text, label = ("-".join(f"{end / 10:.1f}" for end in ends) for ends in (said, truth))
    reward, exact, parsed = score(text, label)
    assert reward == pytest.approx(iou(said, truth) if said[0] < said[1] else 0.0)
    assert (exact, parsed) == (float(said == truth), 1)
    assert metric(text, label) == (reward, 1)


def test_no_answer_and_no_truth():
    assert score("It is in the middle.", "2.6-4.3") == (0, 0, 0)
    assert metric("It is in the middle.", "2.6-4.3") == (0, 0)
    with pytest.raises(ValueError, match="ground truth of snippet_localisation must be"):
        score("2.6-4.3", "4.3-2.6")


def test_blind_answers():
    rng = np.random.default_rng(0)
    texts = [guess({}, 20.0, rng) for guess in GUESSES.values()]
    assert all(score(text, "2.6-4.3")[2] == 1 for text in texts)
    assert best_constant(["5.0-10.0", "10.0-20.0"], [20.0, 40.0]) == ["5.000-10.000", "10.000-20.000"]
