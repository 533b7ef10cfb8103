"""Numbers of up to nine things, one digit each, and orders of them: how they are read, and how close two orders are.

Read as numbers: digits written together ("341562"), or single digits, each with an optional label ("Clip 3"), separated
by what separates a list or a sequence (`reward_fns.vocabulary`; notations: `reward_fns.plain_text`). An order of n
things is a permutation of 1..n; anything else is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import partial

from reward_fns.final_answer import final_answer
from reward_fns.item_runs import Run, item_runs
from reward_fns.vocabulary import NO_AMOUNT, ORDER_LINKS

MAX_ITEMS = 9  # one digit each

NUMBER = re.compile(r"(?<![A-Za-z\d.])[0-9]+(?![A-Za-z\d%]|\.\d)" + NO_AMOUNT)


def is_order(text: str, fewest: int = 2) -> bool:
    """Returns whether `text` is a permutation of 1..n, with n from `fewest` to 9."""
    return fewest <= len(text) <= MAX_ITEMS and set(text) == _digits(len(text))


def read_order(text: str, n: int, labels: Collection[str]) -> str | None:
    """Returns the permutation of 1..n that the completion `text` ends up with, or None.

    Args:
        labels: what a thing may be called, in lower case.
    """
    return final_answer(text, partial(_candidates, n=n, labels=labels))


def numbers_in(text: str, labels: Collection[str]) -> Iterator[tuple[str, Run]]:
    """Yields digits in the order of the text, each with the run that they stand in: all single digits of a run
    together, or each number of one that has longer ones.

    Args:
        text: plain text (`reward_fns.plain_text`).
        labels: what a thing may be called, in lower case.
    """
    for run in item_runs(text, NUMBER, ORDER_LINKS, frozenset(labels) | {"first"}):  # "clip 3 first, then clip 4"
        numbers = [number[0] for number in run.items]
        together = all(len(number) == 1 for number in numbers)
        for digits in ["".join(numbers)] if together else numbers:
            yield digits, run


def closeness(answer: str, truth: str) -> float:
    """Returns 1 - E / `largest_error`, in 0..1, with E = sum over k of |place of k in answer - place of k in truth|."""
    error = sum(abs(answer.index(k) - truth.index(k)) for k in truth)
    return 1.0 - error / largest_error(len(truth))


def largest_error(n: int) -> int:
    """Returns the E of the reversed order, the largest of all: floor(n^2 / 2)."""
    return n * n // 2


def _digits(n: int) -> set[str]:
    return set("123456789"[:n])


def _candidates(text: str, n: int, labels: Collection[str]) -> Iterator[str | None]:
    for digits, run in numbers_in(text, labels):
        if len(digits) == n and set(digits) == _digits(n):
            yield None if run.doubtful else digits
