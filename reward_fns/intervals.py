"""Answers that are an interval of time, "start-end" in seconds: how they are read, scored and guessed blind.

Read as an answer: two times joined by a dash, an arrow, "~", "to", "until", "through", "and" or by an end label
("start: 14.5, end: 26.2", "starts at 14.5 and ends at 26.2"), each with an optional unit (s, sec, seconds) and
optionally as mm:ss, h:mm:ss or "1 min 5 s"; two times in brackets or in a row of a table; also "14.5, 26.2" when no
other words stand beside it (notations: `reward_fns.plain_text`). Frame numbers, percentages, minutes and
milliseconds ("10-20 minutes") are not seconds and not read.
A reversed interval (start > end) is read but has no overlap with anything, as an empty one. It states something
false, and the reward must not repair what the model has to learn. (VideoSSR's release gives 0 in training too; only its
evaluation swaps the ends.)

Score: IoU of the half-open intervals [start, end), in 0..1 (VideoSSR, arXiv 2511.06281, section on rewards). An answer
is exact if both ends are equal after rounding to one decimal, the precision of the labels.

Chance: the expected IoU of the best constant interval, under the law from which the true one is drawn (`Law`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from math import fsum
from typing import TYPE_CHECKING, Any, NamedTuple

from reward_fns.final_answer import final_answer
from reward_fns.item_runs import Run, item_runs
from reward_fns.knobs import whole_number
from reward_fns.vocabulary import ANSWER_WORDS, END_WORDS, RANGE_LINKS, SECONDS, START_WORDS

if TYPE_CHECKING:
    from numpy.random import Generator

Interval = tuple[float, float]

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


class Law(NamedTuple):
    """How true intervals are drawn, in steps of a grid of even times.

    The length is uniform over shortest..longest, the start is uniform over the places at which it fits into `steps`.
    """

    steps: int
    shortest: int
    longest: int


def law_of(knobs: Mapping[str, Any], defaults: Mapping[str, int], left_out: int = 0) -> Law:
    """Returns the law of segments whose borders are multiples of `stride`.

    Args:
        knobs: num_frames, min_length, max_length and stride, all in frames.
        defaults: for those that `knobs` leaves out.
        left_out: frames at the end in which no segment lies.

    Raises:
        ValueError: a knob is malformed or too large, or no segment fits.
    """

    def count(name: str) -> int:
        return whole_number(knobs, name, defaults[name], 1, MAX_FRAMES)

    stride = count("stride")
    steps = (count("num_frames") - left_out) // stride
    shortest, longest = -(-count("min_length") // stride), count("max_length") // stride
    if not 1 <= shortest <= longest <= steps:
        raise ValueError(
            f"no segment of {shortest} to {longest} steps fits into {steps}: check num_frames, min_length, "
            "max_length and stride of the difficulty"
        )
    if steps * (longest - shortest + 1) > MAX_SEGMENTS:
        raise ValueError(
            f"segments of {shortest} to {longest} steps in {steps} are more than {MAX_SEGMENTS}: raise the stride"
        )
    return Law(steps, shortest, longest)


def overlap(text: str, truth: Interval) -> tuple[float, float, float]:
    """Returns (IoU, whether both ends are exact, whether an answer was read) of the completion `text`."""
    answer = final_answer(text, _candidates)
    if answer is None:
        return 0.0, 0.0, 0.0
    exact = all(round(said, 1) == round(true, 1) for said, true in zip(answer, truth, strict=True))
    return _iou(*answer, *truth), float(exact), 1.0


def chance(law: Law) -> float:
    """Returns the expected IoU of the best constant interval."""
    # The best constant too lies on the grid: between two grid points the expected IoU is convex in either end.
    return _best_constant(*law)


def exact_chance(law: Law) -> float:
    """Returns the probability of the likeliest interval: any one of the longest, which have the fewest places."""
    return 1 / ((law.longest - law.shortest + 1) * (law.steps - law.longest + 1))


def best_constant(truths: Sequence[Interval], seconds: Sequence[float]) -> list[str]:
    """Returns one interval for all clips, as shares of the clip on a grid of 1/48: the one with the largest mean IoU
    with the truths.

    Args:
        truths, seconds: of N questions the true interval, and how long the clip is.
    """
    shares = [[end / length for end in truth] for truth, length in zip(truths, seconds, strict=True)]
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


def read_truth(ground_truth: str, task: str) -> Interval:
    """Returns the interval of a label such as "2.6-4.3". Raises ValueError, which names the task, for anything else."""
    match = _TRUTH.fullmatch(ground_truth)
    if not match or float(match[1]) >= float(match[2]):
        raise ValueError(f'ground truth of {task} must be "start-end" in seconds, not {ground_truth!r}')
    return float(match[1]), float(match[2])


@cache
def _best_constant(steps: int, shortest: int, longest: int) -> float:
    # Whatever the length, the IoU is largest if both middles are the same, and falls alike to both sides. So the best
    # constant of a width stands in the clip's middle. An overlap of k has the IoU k / (width + length - k); all pairs
    # with the same width + length share the sums of these.
    expected = [0.0] * (steps + 1)
    for both in range(1 + shortest, steps + longest + 1):
        widths = range(max(1, both - longest), min(steps, both - shortest) + 1)
        sums = [0.0, *accumulate(k / (both - k) for k in range(1, min(both // 2, longest) + 1))]
        for width in widths:
            expected[width] += _centred(steps, width, both - width, sums)
    return max(expected) / (longest - shortest + 1)


def _centred(steps: int, width: int, length: int, sums: Sequence[float]) -> float:
    """Returns the mean IoU of a constant in the middle of the clip with a segment of `length`, over all its starts.

    Args:
        sums: of the IoU over overlaps of 1 to k steps, by k.
    """
    short, margin = min(width, length), (steps - width) // 2
    # Starts of the segment, counted from the constant's, and those at which the shorter one lies in the longer.
    first, last = -margin, steps - length - margin
    inside = range(max(first, min(0, width - length)), min(last, max(0, width - length)) + 1)
    total = len(inside) * (sums[short] - sums[short - 1])
    for outside in (min(0, width - length) - first, last - max(0, width - length)):
        if outside > 0:
            total += sums[short - 1] - sums[max(0, short - 1 - outside)]
    return total / (steps - length + 1)


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
