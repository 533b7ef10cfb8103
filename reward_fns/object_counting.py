"""Reward of object counting: how many circles, squares and triangles were drawn in? The answer is "c,s,t".

Score: mean over the K = 3 shapes of R_k = max(0, 1 - |answer_k - truth_k| / (truth_k + eps)), eps = 1e-9,
in 0..1 (VideoSSR, arXiv 2511.06281, section on rewards). Over-counting by the true number or more earns
nothing, so for a truth of 1 only the exact count does. `acc` is 1 when all three are equal.

Read as an answer: three numbers in this order, separated as a list or all by the same dash, slash or arrow ("3, 1, 4",
"(3,1,4)", "3-1-4", "3,1,4 in 48 frames"), or counts with names in any order ("circles: 3, squares: 1, triangles: 4",
"3 circles, 1 square and 4 triangles"; a square may be called rectangle). Notations: `reward_fns.plain_text`. 3.0 is 3.
Negative numbers, fractions, ranges and more or fewer than three numbers are not read.

Chance: the best constant answer under the law: per shape, the number of frames that carry it is uniform in
[min_frames, max_frames], the instances in each such frame are uniform in [min_instances, max_instances].
0.583 for the easy setting (up to 3 and 3), 0.548 for the hard one (4 and 4). Strict (all three exact): the likeliest
number for each shape; 0.0077 and 0.0018.

Metric: the share of the three numbers that are exactly right, as VIUBench has it (section 3).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from statistics import fmean
from typing import TYPE_CHECKING, Any

from reward_fns.commonest import commonest
from reward_fns.final_answer import final_answer
from reward_fns.item_runs import item_runs
from reward_fns.knobs import whole_number
from reward_fns.vocabulary import LIST_LINKS, NO_AMOUNT, ORDER_LINKS, SHAPES

if TYPE_CHECKING:
    from numpy.random import Generator

Counts = tuple[float, ...]

RELEASE_NAMES: Mapping[str, Mapping[str, Any]] = {"counting": {}}

EPS = 1e-9
MAX_SHAPES = 400  # the most of one kind in a video; the paper draws up to 16
_TRUTH = re.compile(r"[0-9]{1,6},[0-9]{1,6},[0-9]{1,6}")
_COUNT = r"(?<![A-Za-z\d.])[0-9]+(?:\.0+)?(?![A-Za-z\d%]|\.\d)"
_NUMBER = re.compile(_COUNT + NO_AMOUNT)
_SAME_SIGN = ({"-"}, {"/"}, {"→"})
_SHAPE = rf"\b({'|'.join(SHAPES)})s?\b"
_GUESSES = r"(?:[-+/~]|or|to)\s{0,2}"
_NAME_FIRST = re.compile(
    rf"{_SHAPE}(?: count(?:s|ed)?)?\s{{0,4}}(?:[:=→]|-(?=\s)|is\b|are\b)?\s{{0,4}}(?P<count>{_COUNT})"
    rf"(?!\s{{0,2}}{_GUESSES}[0-9])",  # "2 or 3", "2+1" state no count
    re.IGNORECASE,
)
_COUNT_FIRST = re.compile(
    rf"(?<!frame )(?P<count>(?<![-+]){_COUNT})[ \t]{{1,4}}(?:[A-Za-z]{{1,12}}[ \t]{{1,4}})?{_SHAPE}",
    re.IGNORECASE,
)
_GUESS_BEFORE = re.compile(rf"(?:[0-9]\s{{0,2}}{_GUESSES}|\bbetween [0-9]+ and |\bnot )$", re.IGNORECASE)


def score(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float, float]:
    """Returns (score, acc, parsed) of the completion `text`, whatever the knobs. Raises ValueError when the ground
    truth is malformed.
    """
    truth = _truth(ground_truth)
    answer = final_answer(text, _candidates)
    if answer is None:
        return 0.0, 0.0, 0.0
    rewards = [_shape_reward(a, b) for a, b in zip(answer, truth, strict=True)]
    return sum(rewards) / len(rewards), float(answer == truth), 1.0


def metric(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float]:
    """Returns (share of the numbers that are exactly right, parsed). Raises as `score` does."""
    truth = _truth(ground_truth)
    answer = final_answer(text, _candidates)
    return (0.0, 0.0) if answer is None else (fmean(a == b for a, b in zip(answer, truth, strict=True)), 1.0)


def chance(knobs: Mapping[str, Any]) -> float:
    """Returns the expected score of the best constant answer.

    Args:
        knobs: min_frames (default 1), max_frames (3), min_instances (1), max_instances (3). All shapes follow
            the same law, so their number does not matter.
    """
    law = _law(*_ranges(knobs))
    return max(sum(p * _shape_reward(guess, y) for y, p in law.items()) for guess in law)


def exact_chance(knobs: Mapping[str, Any]) -> float:
    """Returns the probability of the likeliest three counts. Takes the knobs of `chance`."""
    return max(_law(*_ranges(knobs)).values()) ** 3


def best_constant(truths: Sequence[str], seconds: Sequence[float]) -> list[str]:
    """Returns each shape's commonest number, for all questions."""
    return [",".join(map(commonest, zip(*(truth.split(",") for truth in truths), strict=True)))] * len(truths)


def _uniform_guess(knobs: Mapping[str, Any], seconds: float, rng: Generator) -> str:
    """Guesses each shape's number, uniformly over its possible ones."""
    min_frames, max_frames, min_instances, max_instances = _ranges(knobs)
    return ",".join(map(str, rng.integers(min_frames * min_instances, max_frames * max_instances + 1, 3)))


GUESSES = {"uniform guess": _uniform_guess}


def _truth(ground_truth: str) -> Counts:
    if not _TRUTH.fullmatch(ground_truth):
        raise ValueError(f'ground truth of object_counting must be three counts "c,s,t", not {ground_truth!r}')
    return tuple(map(float, ground_truth.split(",")))


def _ranges(knobs: Mapping[str, Any]) -> tuple[int, int, int, int]:
    count = partial(whole_number, knobs, low=0, high=MAX_SHAPES)
    ranges = count("min_frames", 1), count("max_frames", 3), count("min_instances", 1), count("max_instances", 3)
    min_frames, max_frames, min_instances, max_instances = ranges
    if not (min_frames <= max_frames and min_instances <= max_instances and max_frames * max_instances <= MAX_SHAPES):
        raise ValueError(
            f"the difficulty draws {min_frames}..{max_frames} frames of {min_instances}..{max_instances} "
            f"instances: each range must be ordered and not negative, and at most {MAX_SHAPES} of a shape be drawn"
        )
    return ranges


@cache
def _law(min_frames: int, max_frames: int, min_instances: int, max_instances: int) -> Mapping[int, float]:
    """Returns number of one shape -> probability."""
    law: dict[int, float] = defaultdict(float)
    totals: Mapping[int, float] = {0: 1.0}
    for frames in range(max_frames + 1):
        if frames >= min_frames:
            for total, share in totals.items():
                law[total] += share
        step: dict[int, float] = defaultdict(float)
        for total, share in totals.items():
            for more in range(min_instances, max_instances + 1):
                step[total + more] += share / (max_instances - min_instances + 1)
        totals = step
    weight = sum(law.values())
    return {total: share / weight for total, share in law.items()}


def _shape_reward(answer: float, truth: float) -> float:
    return max(0.0, 1.0 - abs(answer - truth) / (truth + EPS))


def _candidates(text: str) -> Iterator[Counts | None]:
    for run in item_runs(text, _NUMBER, ORDER_LINKS):
        # "1-2, 3" is a range and a number.
        if len(run.items) == 3 and (LIST_LINKS.issuperset(run.links) or set(run.links) in _SAME_SIGN):
            yield None if run.doubtful else tuple(float(number[0]) for number in run.items)
    for pattern in (_NAME_FIRST, _COUNT_FIRST):
        yield from _named(pattern, text)


def _named(pattern: re.Pattern[str], text: str) -> Iterator[Counts | None]:
    """Yields the counts if every shape is named with one and the same number throughout, or None if one number is a
    guess.
    """
    found: tuple[set[float], ...] = (set(), set(), set())
    guessed = False
    for match in pattern.finditer(text):
        shape = match[1] if pattern is _NAME_FIRST else match[2]
        found[SHAPES[shape.lower()]].add(float(match["count"]))
        start = match.start("count")
        guessed |= bool(_GUESS_BEFORE.search(text, max(0, start - 24), start))
    if all(len(counts) == 1 for counts in found):
        yield None if guessed else tuple(counts.pop() for counts in found)
