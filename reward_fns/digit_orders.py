"""Reads an order of up to nine things in an answer: a permutation of 1..n, one digit each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from reward_fns.final_answer import final_answer
from reward_fns.item_runs import item_runs
from reward_fns.vocabulary import CLIP_LABELS, NO_AMOUNT, ORDER_LINKS

MAX_THINGS = 9  # one digit each
FILLERS = CLIP_LABELS | {"first"}  # "clip 3 first, then clip 4"

_NUMBER = re.compile(r"(?<![A-Za-z\d.])[0-9]+(?![A-Za-z\d%]|\.\d)" + NO_AMOUNT)


def is_order(text: str) -> bool:
    """Returns whether `text` is a permutation of 1..n, n = 2 to 9, as a ground truth is."""
    return 2 <= len(text) <= MAX_THINGS and set(text) == _digits(len(text))


def read_order(text: str, n: int) -> str | None:
    """Returns the permutation of 1..n that the completion ends up with: together ("341562") or as single digits, each
    with an optional label ("Clip 3"), separated by what separates a list or a sequence.
    """
    return final_answer(text, partial(_candidates, n=n))


def _candidates(text: str, n: int) -> Iterator[str | None]:
    for run in item_runs(text, _NUMBER, ORDER_LINKS, FILLERS):
        numbers = [number[0] for number in run.items]
        together = all(len(number) == 1 for number in numbers)
        for answer in ["".join(numbers)] if together else numbers:
            if len(answer) == n and set(answer) == _digits(n):
                yield None if run.doubtful else answer


def _digits(n: int) -> set[str]:
    return set("123456789"[:n])
