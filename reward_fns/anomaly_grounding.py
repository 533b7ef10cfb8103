"""Reward of anomaly grounding: when, in seconds, is the named change to be seen? The answer is "start-end".

Score: IoU of the half-open intervals [start, end), in 0..1 (VideoSSR, arXiv 2511.06281, section on
rewards). `acc` is 1 when both ends are equal after rounding to one decimal, the precision of the label.

Read as an answer: two times joined by a dash, an arrow, "~", "to", "until", "through", "and" or by an end label
("start: 14.5, end: 26.2", "starts at 14.5 and ends at 26.2"), each with an optional unit (s, sec, seconds) and
optionally as mm:ss, h:mm:ss or "1 min 5 s"; two times in brackets or in a row of a table; also "14.5, 26.2" when no
other words stand beside it (notations: `reward_fns.plain_text`). Frame numbers, percentages, minutes and
milliseconds ("10-20 minutes") are not seconds and not read.
A reversed interval (start > end) is read (`parsed` 1) but scores 0, as does an empty one. It states something
false, and the reward must not repair what the model has to learn. (The reference release gives 0 in training
too; only its evaluation swaps the ends.)

Strict (exact match; the paper does not say what that is here): both ends as for `acc`.

Chance: the expected IoU of the best constant interval, under the law from which the segment is drawn. Its
length in frames is uniform over the multiples of `stride` in [min_length, max_length], its start is uniform over
the multiples of `stride` at which it fits, and frames are evenly spaced. For 48 frames and lengths 8..16 this
gives 0.300 with our stride of 2, and 0.306 with the paper's stride of 1. Strict: the probability of any one of the
longest segments, which have the fewest places: 0.0118 and 0.0034, if frames are a tenth of a second apart or more.

Metric: the mean IoU, as the paper reports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import accumulate
from math import fsum
from typing import TYPE_CHECKING, Any

from reward_fns.final_answer import final_answer
from reward_fns.item_runs import Run, item_runs
from reward_fns.knobs import whole_number
from reward_fns.vocabulary import ANSWER_WORDS, END_WORDS, RANGE_LINKS, SECONDS, START_WORDS

if TYPE_CHECKING:
    from numpy.random import Generator

Interval = tuple[float, float]

RELEASE_NAMES = {"grounding": {"stride": 1}}

MAX_FRAMES = 4096  # the most that a video in a prompt may have
MAX_SEGMENTS = 2**20  # frames x lengths, in strides; computing the chance of so many takes two seconds
_GRID = 48  # the grid on which the best constant interval for known truths is looked for

_TRUTH = re.compile(r"([0-9]{1,9}(?:\.[0-9]+)?)-([0-9]{1,9}(?:\.[0-9]+)?)")
# Hours, minutes, seconds, unit. Digit counts are bounded, so a match costs constant time wherever it starts.
_TIME = re.compile(
    r"(?<![A-Za-z\d.])(?<!\d:)(?:([0-9]{1,3})(?::|\s?h(?:ours?|rs?)?\s?))?"
    r"(?:([0-9]{1,3})(?::|\s?m(?:in(?:ute)?s?)?\s?))?([0-9]{1,9}(?:\.[0-9]{1,20}|(?<=:[0-9]{2}),[0-9]{3})?)"
    rf"(?:(?:\s{{0,4}}|-)(?:{'|'.join(SECONDS)})\b\.?)?(?![A-Za-z\d]|\.\d|:\d)",
    re.IGNORECASE,
)
_OTHER_UNIT = re.compile(r"\s{0,4}(?:%|percent|ms\b|milli|min|hour|hrs?\b|frame)", re.IGNORECASE)
_START_LINKS, _END_LINKS = (
    {
        f"{sign} {join} {word}".strip().replace("  ", " ")
        for sign in ("", ",", ";", ".", "start", "start ,")
        for join in ("", "and")
        for word in words
    }
    for words in (START_WORDS, END_WORDS)
)
_END_BEFORE = re.compile(rf"\b(?:{'|'.join(END_WORDS)})[^\d\n]{{0,16}}$", re.IGNORECASE)
_LONGEST_LABEL = 40
_FILLERS = frozenset(
    (
        "the",
        "it",
        "time",
        "timestamp",
        "at",
        "is",
        "about",
        "around",
        "approximately",
        "mark",
        "point",
        "lasts",
        "t",
        ":",
        "=",
    )
).union(SECONDS)


def score(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float, float]:
    """Returns (score, acc, parsed) of the completion `text`, whatever the knobs. Raises ValueError when the ground
    truth is malformed.
    """
    start, end = _truth(ground_truth)
    answer = final_answer(text, _candidates)
    if answer is None:
        return 0.0, 0.0, 0.0
    a, b = answer
    acc = round(a, 1) == round(start, 1) and round(b, 1) == round(end, 1)
    return _iou(a, b, start, end), float(acc), 1.0


def metric(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float]:
    """Returns (IoU, parsed). Raises as `score` does."""
    truth = _truth(ground_truth)
    answer = final_answer(text, _candidates)
    return (0.0, 0.0) if answer is None else (_iou(*answer, *truth), 1.0)


def chance(knobs: Mapping[str, Any]) -> float:
    """Returns the expected IoU of the best constant interval.

    Args:
        knobs: num_frames (default 48), min_length (8), max_length (16), stride (2), all in frames.

    Raises:
        ValueError: a knob is malformed or too large.
    """
    # The best constant too lies on the stride's grid: between two grid points the expected IoU is convex in either end.
    return _best_constant(*_in_strides(knobs))


def exact_chance(knobs: Mapping[str, Any]) -> float:
    """Returns the probability of the likeliest segment. Takes the knobs of `chance`."""
    frames, shortest, longest = _in_strides(knobs)
    return 1 / ((longest - shortest + 1) * (frames - longest + 1))


def best_constant(truths: Sequence[str], seconds: Sequence[float]) -> list[str]:
    """Returns one interval for all clips, as shares of the clip on a grid of 1/48: the one with the largest mean IoU
    with the truths.

    Args:
        truths, seconds: of N questions the ground truth, and how long the clip is.
    """
    shares = [[end / length for end in _truth(truth)] for truth, length in zip(truths, seconds, strict=True)]
    grid = [(first / _GRID, last / _GRID) for first in range(_GRID) for last in range(first + 1, _GRID + 1)]
    start, end = max(grid, key=lambda guess: (fsum(_iou(*guess, *share) for share in shares), guess))
    return [f"{start * length:.3f}-{end * length:.3f}" for length in seconds]


def _uniform_guess(knobs: Mapping[str, Any], seconds: float, rng: Generator) -> str:
    """Guesses two uniform times, in order."""
    start, end = sorted(rng.uniform(0, seconds, 2))
    return f"{start:.3f}-{end:.3f}"


def _whole_video(knobs: Mapping[str, Any], seconds: float, rng: Generator) -> str:
    return f"0-{seconds:.3f}"


GUESSES = {"uniform guess": _uniform_guess, "whole video": _whole_video}


def _in_strides(knobs: Mapping[str, Any]) -> tuple[int, int, int]:
    """Returns the number of frames, the shortest and the longest length, in strides, because borders lie on that
    grid.
    """
    count = partial(whole_number, knobs, low=1, high=MAX_FRAMES)
    stride = count("stride", 2)
    frames = count("num_frames", 48) // stride
    shortest, longest = -(-count("min_length", 8) // stride), count("max_length", 16) // stride
    if not 1 <= shortest <= longest <= frames:
        raise ValueError(
            f"no segment of {shortest} to {longest} steps fits into {frames}: check num_frames, min_length, "
            "max_length and stride of the difficulty"
        )
    if frames * (longest - shortest + 1) > MAX_SEGMENTS:
        raise ValueError(
            f"segments of {shortest} to {longest} steps in {frames} are more than {MAX_SEGMENTS}: raise the stride"
        )
    return frames, shortest, longest


@cache
def _best_constant(frames: int, shortest: int, longest: int) -> float:
    # Whatever the length, the IoU is largest if both middles are the same, and falls alike to both sides. So the best
    # constant of a width stands in the clip's middle. An overlap of k has the IoU k / (width + length - k); all pairs
    # with the same width + length share the sums of these.
    expected = [0.0] * (frames + 1)
    for both in range(1 + shortest, frames + longest + 1):
        widths = range(max(1, both - longest), min(frames, both - shortest) + 1)
        sums = [0.0, *accumulate(k / (both - k) for k in range(1, min(both // 2, longest) + 1))]
        for width in widths:
            expected[width] += _centred(frames, width, both - width, sums)
    return max(expected) / (longest - shortest + 1)


def _centred(frames: int, width: int, length: int, sums: Sequence[float]) -> float:
    """Returns the mean IoU of a constant in the middle of the clip with a segment of `length`, over all its starts.

    Args:
        sums: of the IoU over overlaps of 1 to k steps, by k.
    """
    short, margin = min(width, length), (frames - width) // 2
    # Starts of the segment, counted from the constant's, and those at which the shorter one lies in the longer.
    first, last = -margin, frames - length - margin
    inside = range(max(first, min(0, width - length)), min(last, max(0, width - length)) + 1)
    total = len(inside) * (sums[short] - sums[short - 1])
    for outside in (min(0, width - length) - first, last - max(0, width - length)):
        if outside > 0:
            total += sums[short - 1] - sums[max(0, short - 1 - outside)]
    return total / (frames - length + 1)


def _iou(a: float, b: float, start: float, end: float) -> float:
    overlap = min(b, end) - max(a, start)
    return overlap / (max(b, end) - min(a, start)) if a < b and overlap > 0 else 0.0


def _candidates(text: str) -> Iterator[Interval | None]:
    alone = ANSWER_WORDS.issuperset(re.findall(r"[^\W\d_]+", text.lower()))
    links = RANGE_LINKS | _START_LINKS | _END_LINKS | ({","} if alone else set())
    for run in item_runs(text, _TIME, links, _FILLERS):
        if len(run.items) == 2 and not _OTHER_UNIT.match(text, run.items[-1].end()):
            ends = _ends(run, text)
            if ends is not None:
                yield None if run.doubtful else ends


def _ends(run: Run, text: str) -> Interval | None:
    a, b = map(_seconds, run.items)
    if run.links[0] in _START_LINKS:  # "end: 5.1, start: 3.2"
        first = run.items[0].start()
        a, b = (b, a) if _END_BEFORE.search(text, max(0, first - _LONGEST_LABEL), first) else (None, None)
    return None if a is None or b is None else (a, b)


def _seconds(time: re.Match[str]) -> float | None:
    hours, minutes, seconds = time.groups()
    if minutes is None:
        hours, minutes = None, hours
    value = float(seconds.replace(",", "."))  # "00:00:03,200" of subtitles
    if minutes is None:
        return value
    if value >= 60 or (hours is not None and int(minutes) >= 60):
        return None
    return round(value + 60 * int(minutes) + 3600 * int(hours or 0), 6)  # 1:05.1 is 65.1


def _truth(ground_truth: str) -> Interval:
    match = _TRUTH.fullmatch(ground_truth)
    if not match or float(match[1]) >= float(match[2]):
        raise ValueError(f'ground truth of anomaly_grounding must be "start-end" in seconds, not {ground_truth!r}')
    return float(match[1]), float(match[2])
