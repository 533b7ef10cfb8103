"""Orders of n things, numbered from 1 to n (up to 9, one digit each): how they are read, and how close two of them are.

Read as an order: a permutation of 1..n, written together ("341562") or as single digits, each with an optional label
("Clip 3"), separated by what separates a list or a sequence (`reward_fns.vocabulary`; notations:
`reward_fns.plain_text`). Anything that is not a permutation of 1..n is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import partial

from reward_fns.final_answer import final_answer
from reward_fns.item_runs import item_runs
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
    return final_answer(text, partial(_candidates, n=n, fillers=frozenset(labels) | {"first"}))


def closeness(answer: str, truth: str) -> float:
    """Returns 1 - E / `largest_error`, in 0..1, with E = sum over k of |place of k in answer - place of k in truth|."""
    error = sum(abs(answer.index(k) - truth.index(k)) for k in truth)
    return 1.0 - error / largest_error(len(truth))


def largest_error(n: int) -> int:
    """Returns the E of the reversed order, the largest of all: floor(n^2 / 2)."""
    return n * n // 2


def _digits(n: int) -> set[str]:
    return set("123456789"[:n])


def _candidates(text: str, n: int, fillers: Collection[str]) -> Iterator[str | None]:
    for run in item_runs(text, NUMBER, ORDER_LINKS, fillers):  # fillers: "clip 3 first, then clip 4"
        numbers = [number[0] for number in run.items]
        together = all(len(number) == 1 for number in numbers)
        for answer in ["".join(numbers)] if together else numbers:
            if len(answer) == n and set(answer) == _digits(n):
                yield None if run.doubtful else answer
