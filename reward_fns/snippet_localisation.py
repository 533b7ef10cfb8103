"""Reward of snippet localisation: when, in seconds, does the snippet happen in the video? The answer is "start-end".

How it is read and scored, by the IoU of two intervals: `reward_fns.intervals`. `acc` is 1 when both ends are equal
after rounding to one decimal, the precision of the label. EvoGround's solver (arXiv 2605.13803) is paid by IoU too.

The score has no part for near misses. Segments are long enough that blind answers overlap them often (chance tells), so
the answers of a group differ in reward without it; and a part for the distance would pay most for the middle of the
video, whatever the model sees.

Strict: both ends as for `acc`.

Chance: the expected IoU of the best constant interval, under the law from which the segment is drawn. Its length is
uniform over the multiples of `stride` in [min_length, max_length], its start is uniform over the multiples of `stride`
at which it fits between the first and the last frame, and frames are evenly spaced. Strict: the probability of any one
of the longest segments, which have the fewest places. The snippet's own clock and number of frames are the same for all
lengths, so they help no guess.

Metric: the mean IoU, as in temporal grounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reward_fns import intervals
from reward_fns.intervals import GUESSES

__all__ = ["GUESSES", "best_constant", "chance", "exact_chance", "metric", "score"]

_DEFAULTS = {"num_frames": 48, "min_length": 6, "max_length": 12, "stride": 2}


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
        knobs: num_frames (default 48), min_length (6), max_length (12), stride (2), all in frames.

    Raises:
        ValueError: a knob is malformed or too large.
    """
    return intervals.chance(_law(knobs))


def exact_chance(knobs: Mapping[str, Any]) -> float:
    """Returns the probability of the likeliest segment. Takes the knobs of `chance`."""
    return intervals.exact_chance(_law(knobs))


def best_constant(truths: Sequence[str], seconds: Sequence[float]) -> list[str]:
    """Returns the interval that earns most on these questions, as the same share of each video.

    Args:
        truths, seconds: of N questions the ground truth, and how long the video is.
    """
    return intervals.best_constant([_truth(truth) for truth in truths], seconds)


def _law(knobs: Mapping[str, Any]) -> intervals.Law:
    return intervals.law_of(knobs, _DEFAULTS, left_out=1)  # a segment ends at a frame, the last one at most


def _truth(ground_truth: str) -> intervals.Interval:
    return intervals.read_truth(ground_truth, "snippet_localisation")
