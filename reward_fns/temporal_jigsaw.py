"""Reward of the temporal jigsaw: at which shown position stands each original clip? The answer is n digits.

Score: 1 - E / Emax with E = sum over k of |position of k in the answer - position of k in the truth| and
Emax = floor(n^2 / 2), the E of the reversed sequence; in 0..1 (VideoSSR, arXiv 2511.06281, section on
rewards). `acc` is 1 for the exact permutation. A random valid permutation already earns about 0.35: watch
`acc` too.

Read as an answer: a permutation of 1..n (n = 2..9, from the ground truth), written together ("341562") or
as single digits, each with an optional label ("Clip 3"), separated by what separates a list or a sequence
(`reward_fns.vocabulary`; notations: `reward_fns.plain_text`). Anything that is not a permutation of 1..n is no
answer (`parsed` 0).

Chance: the expected score of the best constant permutation, if the truth is uniform over all permutations but
the identity. The sum of E over all n! truths is the same for every constant, n! (n^2 - 1) / 3. So the best
constant is the one that gains most from the identity's absence: any at distance Emax from it, e.g. the reversed
sequence. For n = 6 chance is 0.3523. (The reference release draws the identity too: 0.3519.) Strict (the exact
permutation): 1 / (n! - 1).

Metric: 1 for the exact permutation, else 0, as VIUBench has it (section 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import factorial
from typing import TYPE_CHECKING, Any

from reward_fns.clip_numbers import clip_numbers
from reward_fns.final_answer import final_answer
from reward_fns.knobs import whole_number

if TYPE_CHECKING:
    from numpy.random import Generator

RELEASE_NAMES: Mapping[str, Mapping[str, Any]] = {"shuffled": {}, "jigsaw": {}}
MAX_CLIPS = 9  # one digit each


def score(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float, float]:
    """Returns (score, acc, parsed) of the completion `text`, whatever the knobs. Raises ValueError when the ground
    truth is malformed.
    """
    answer = _read(text, ground_truth)
    if answer is None:
        return 0.0, 0.0, 0.0
    error = sum(abs(answer.index(k) - ground_truth.index(k)) for k in ground_truth)
    return 1.0 - error / _largest_error(len(ground_truth)), float(answer == ground_truth), 1.0


def metric(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float]:
    """Returns (whether the order is wholly right, parsed). Raises as `score` does."""
    answer = _read(text, ground_truth)
    return float(answer == ground_truth), float(answer is not None)


def chance(knobs: Mapping[str, Any]) -> float:
    """Returns the expected score of the best constant permutation.

    Args:
        knobs: num_clips (default 6), 2 to 9.
    """
    n = _num_clips(knobs)
    total = factorial(n) * (n * n - 1) // 3
    return 1.0 - (total - _largest_error(n)) / ((factorial(n) - 1) * _largest_error(n))


def exact_chance(knobs: Mapping[str, Any]) -> float:
    """Returns the probability of any permutation but the identity. Takes the knobs of `chance`."""
    return 1 / (factorial(_num_clips(knobs)) - 1)


def _uniform_guess(knobs: Mapping[str, Any], seconds: float, rng: Generator) -> str:
    """Returns a random permutation."""
    return "".join(str(i + 1) for i in rng.permutation(_num_clips(knobs)))


GUESSES = {"uniform guess": _uniform_guess}


def _num_clips(knobs: Mapping[str, Any]) -> int:
    return whole_number(knobs, "num_clips", 6, 2, MAX_CLIPS)


def _largest_error(n: int) -> int:
    return n * n // 2


def _digits(n: int) -> set[str]:
    return set("123456789"[:n])


def _read(text: str, ground_truth: str) -> str | None:
    """Returns the permutation that the completion ends up with."""
    n = len(ground_truth)
    if not 2 <= n <= MAX_CLIPS or set(ground_truth) != _digits(n):
        raise ValueError(
            f"ground truth of temporal_jigsaw must be a permutation of 1..n (n = 2..9), not {ground_truth!r}"
        )
    return final_answer(text, partial(_candidates, n=n))


def _candidates(text: str, n: int) -> Iterator[str | None]:
    for answer, run in clip_numbers(text):
        if len(answer) == n and set(answer) == _digits(n):
            yield None if run.doubtful else answer
