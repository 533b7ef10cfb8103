"""Reward of anomaly grounding: when, in seconds, is the named change to be seen? The answer is "start-end".

How it is read and scored, by the IoU of two intervals: `reward_fns.intervals`. `acc` is 1 when both ends are equal
after rounding to one decimal, the precision of the label.

Strict (exact match; the paper does not say what that is here): both ends as for `acc`.

Chance: the expected IoU of the best constant interval, under the law from which the segment is drawn. Its
length in frames is uniform over the multiples of `stride` in [min_length, max_length], its start is uniform over
the multiples of `stride` at which it fits, and frames are evenly spaced. For 48 frames and lengths 8..16 this
gives 0.300 with our stride of 2, and 0.306 with the paper's stride of 1. Strict: the probability of any one of the
longest segments, which have the fewest places: 0.0118 and 0.0034, if frames are a tenth of a second apart or more.

Metric: the mean IoU, as the paper reports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reward_fns import intervals
from reward_fns.intervals import GUESSES

__all__ = ["GUESSES", "RELEASE_NAMES", "best_constant", "chance", "exact_chance", "metric", "score"]

RELEASE_NAMES = {"grounding": {"stride": 1}}

_DEFAULTS = {"num_frames": 48, "min_length": 8, "max_length": 16, "stride": 2}


def score(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float, float]:
    """Returns (score, acc, parsed) of the completion `text`, whatever the knobs. Raises ValueError when the ground
    truth is malformed.
    """
    return intervals.overlap(text, _truth(ground_truth))


def metric(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float]:
    """Returns (IoU, parsed). Raises as `score` does."""
    iou, _, parsed = intervals.overlap(text, _truth(ground_truth))
    return iou, parsed


def chance(knobs: Mapping[str, Any]) -> float:
    """Returns the expected IoU of the best constant interval.

    Args:
        knobs: num_frames (default 48), min_length (8), max_length (16), stride (2), all in frames.

    Raises:
        ValueError: a knob is malformed or too large.
    """
    return intervals.chance(intervals.law_of(knobs, _DEFAULTS))


def exact_chance(knobs: Mapping[str, Any]) -> float:
    """Returns the probability of the likeliest segment. Takes the knobs of `chance`."""
    return intervals.exact_chance(intervals.law_of(knobs, _DEFAULTS))


def best_constant(truths: Sequence[str], seconds: Sequence[float]) -> list[str]:
    """Returns the interval that earns most on these questions, as the same share of each clip.

    Args:
        truths, seconds: of N questions the ground truth, and how long the clip is.
    """
    return intervals.best_constant([_truth(truth) for truth in truths], seconds)


def _truth(ground_truth: str) -> intervals.Interval:
    return intervals.read_truth(ground_truth, "anomaly_grounding")
