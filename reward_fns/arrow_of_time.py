"""Reward of the arrow of time: which clips run backwards? Clips 1 and 2 are a pair, 3 and 4, and so on: m pairs, each
of the same frames forwards and backwards. The answer is m numbers, "1,4,6".

Score: the share of the backward clips among those that the answer names, so 0 to 1. It is the same as (1 + s / m) / 2
with s the sum over the pairs of 1 where only the backward clip is named, -1 where only the forward one is, and 0 where
both or none are (an answer that is the same for both directions). `acc` is 1 for the exact set.

The score is linear in s on purpose. One who cannot see the direction can still see that two pieces run the same way, as
where one camera pans through both. That ties the coins of the pairs together: all right or all wrong. A score that
floors s at 0 would pay 0.5 for it, and a quarter for independent guesses of 3 pairs. The linear one pays 0.5 for each.

Read as an answer: m different numbers of 1..2m (m = 1..4, from the ground truth) in any order, written together
("146") or with an optional label ("Clip 1"), separated by what separates a list, or all by the same dash, slash or
arrow; two numbers with such a sign are a range and not read (notations: `reward_fns.plain_text`). Another number of
clips, a repeated one or one outside of 1..2m is no answer (`parsed` 0).

Chance: 0.5 for every answer that can be read, since each clip runs backwards with probability 1/2. Strict (the exact
set): 1 / 2^m, for one clip of each pair.

Metric: the share of the pairs of which the answer names the backward clip alone. A guess of one clip each earns 0.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from reward_fns.digit_orders import numbers_in
from reward_fns.final_answer import final_answer
from reward_fns.knobs import whole_number
from reward_fns.vocabulary import CLIP_LABELS, LIST_LINKS

if TYPE_CHECKING:
    from numpy.random import Generator

MAX_PAIRS = 4  # one digit a clip

_TRUTH = re.compile(r"[12](?:,[34](?:,[56](?:,[78])?)?)?")


def score(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float, float]:
    """Returns (score, acc, parsed) of the completion `text`, whatever the knobs. Raises ValueError when the ground
    truth is malformed.
    """
    truth = _truth(ground_truth)
    answer = _read(text, len(truth))
    if answer is None:
        return 0.0, 0.0, 0.0
    return len(answer & truth) / len(truth), float(answer == truth), 1.0


def metric(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float]:
    """Returns (share of the pairs of which only the backward clip is named, parsed). Raises as `score` does."""
    truth = _truth(ground_truth)
    answer = _read(text, len(truth))
    if answer is None:
        return 0.0, 0.0
    return sum(clip in answer and _twin(clip) not in answer for clip in truth) / len(truth), 1.0


def chance(knobs: Mapping[str, Any]) -> float:
    """Returns the expected score of any answer that can be read. Raises ValueError if num_pairs (default 3) is not 1
    to 4.
    """
    _num_pairs(knobs)
    return 0.5


def exact_chance(knobs: Mapping[str, Any]) -> float:
    """Returns the probability of any answer with one clip of each pair. Takes the knobs of `chance`."""
    return 0.5 ** _num_pairs(knobs)


def _uniform_guess(knobs: Mapping[str, Any], seconds: float, rng: Generator) -> str:
    """Guesses one clip of each pair."""
    return ",".join(str(2 * pair + 1 + int(coin)) for pair, coin in enumerate(rng.integers(2, size=_num_pairs(knobs))))


GUESSES = {"uniform guess": _uniform_guess}


def _num_pairs(knobs: Mapping[str, Any]) -> int:
    return whole_number(knobs, "num_pairs", 3, 1, MAX_PAIRS)


def _twin(clip: str) -> str:
    return str((int(clip) - 1 ^ 1) + 1)


def _truth(ground_truth: str) -> frozenset[str]:
    if not _TRUTH.fullmatch(ground_truth):
        raise ValueError(
            f"ground truth of arrow_of_time must be one clip of each pair, like '1,4,6', not {ground_truth!r}"
        )
    return frozenset(ground_truth.split(","))


def _read(text: str, count: int) -> frozenset[str] | None:
    """Returns the `count` clips that the completion ends up with."""
    return final_answer(text, partial(_candidates, count=count))


def _candidates(text: str, count: int) -> Iterator[frozenset[str] | None]:
    clips = frozenset("12345678"[: 2 * count])
    for digits, run in numbers_in(text, CLIP_LABELS):
        is_list = LIST_LINKS.issuperset(run.links) or (len(run.items) > 2 and len(set(run.links)) == 1)
        if is_list and len(digits) == count and len(set(digits)) == count and clips.issuperset(digits):
            yield None if run.doubtful else frozenset(digits)
