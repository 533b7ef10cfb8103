"""Finds the numbers of clips, 1 to 9, in plain text: "3, 4 and 1", "Clip 3 -> Clip 4", "341"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reward_fns.item_runs import Run, item_runs
from reward_fns.vocabulary import CLIP_LABELS, NO_AMOUNT, ORDER_LINKS

_NUMBER = re.compile(r"(?<![A-Za-z\d.])[0-9]+(?![A-Za-z\d%]|\.\d)" + NO_AMOUNT)
_FILLERS = CLIP_LABELS | {"first"}  # "clip 3 first, then clip 4"


def clip_numbers(text: str) -> Iterator[tuple[str, Run]]:
    """Yields digits in the order of the text, each with the run that they stand in: all single digits of a run
    together, or each number of one that has longer ones.
    """
    for run in item_runs(text, _NUMBER, ORDER_LINKS, _FILLERS):
        numbers = [number[0] for number in run.items]
        together = all(len(number) == 1 for number in numbers)
        for digits in ["".join(numbers)] if together else numbers:
            yield digits, run
