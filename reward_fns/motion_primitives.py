"""Reward of motion primitives. The form of the ground truth tells how the question of its kind is answered:

    kind        ground truth             score
    direction   "up", "up-left", ...     1 - angle / 90 degrees between answer and truth, 0 from there on
    order       n digits, "213"          1 - sum of position errors / that of the reversed order (`digit_orders`)
    faster      one digit, "1" or "2"    1 for the right one, else 0
    hidden      one digit, "3"           1 for the right one, else 0

`acc` is 1 for the exact answer.

Read as an answer: a direction in words (`reward_fns.directions`); a permutation of 1..n, also "event 2, event 1, event
3" (`reward_fns.digit_orders`); one digit, also "object 2" or "the second from the left". Several different answers, or
one that is rejected ("not 2"), are none (`parsed` 0).

Chance: of the best blind answer to each kind, and the mean over `kinds`, as these are drawn evenly. The truth is
uniform in every kind: over 4 or 8 directions (0.25 for both), over 2 objects (0.5), over n! orders
(1 - (n^2 - 1) / (3 floor(n^2 / 2)), 0.333 for n = 3), over k cups (1 / k). Strict: 1 / directions, 0.5, 1 / n!, 1 / k.

Metric (ours): 1 for the exact answer, else 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import factorial
from statistics import fmean
from typing import TYPE_CHECKING, Any

from reward_fns.commonest import commonest
from reward_fns.digit_orders import NUMBER, closeness, is_order, largest_error, read_order
from reward_fns.directions import DIRECTIONS, nearness, read_direction
from reward_fns.final_answer import final_answer
from reward_fns.item_runs import item_runs
from reward_fns.knobs import whole_number
from reward_fns.vocabulary import EVENT_LABELS, ORDER_LINKS, ORDINALS

if TYPE_CHECKING:
    from numpy.random import Generator

KINDS = ("direction", "faster", "order", "hidden")
FEWEST_EVENTS, MOST_EVENTS = 3, 6
FEWEST_CUPS, MOST_CUPS = 3, 5

_TOTAL = re.compile(r" (?:[a-z]{1,12} )?(?:squares|circles|triangles|shapes|cups|places|positions|swaps|times)\b", re.I)
_FROM_RIGHT = re.compile(r"(?:st|nd|rd|th)?(?: [a-z]{1,12}){0,2} from (?:the )?right\b", re.I)
_ORDINAL = re.compile(rf"\b(?:{'|'.join(ORDINALS)})\b", re.I)


def score(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float, float]:
    """Returns (score, acc, parsed) of the completion `text`, whatever the knobs. Raises ValueError if the ground truth
    is malformed.
    """
    answer = _read(text, ground_truth)
    if answer is None:
        return 0.0, 0.0, 0.0
    right = float(answer == ground_truth)
    if ground_truth in DIRECTIONS:
        return nearness(answer, ground_truth), right, 1.0
    return (closeness(answer, ground_truth) if len(ground_truth) > 1 else right), right, 1.0


def metric(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float]:
    """Returns (whether the answer is exactly right, parsed). Raises as `score` does."""
    answer = _read(text, ground_truth)
    return float(answer == ground_truth), float(answer is not None)


def chance(knobs: Mapping[str, Any]) -> float:
    """Returns the expected score of the best blind answer to each kind, on average over the kinds.

    Args:
        knobs: kinds (default all of `KINDS`), directions (8; or 4), num_events (3), num_cups (3).
    """
    n, cups = _num_events(knobs), _num_cups(knobs)
    _directions(knobs)
    order = 1 - (n * n - 1) / 3 / largest_error(n)
    return _mean_of_kinds(knobs, {"direction": 0.25, "faster": 0.5, "order": order, "hidden": 1 / cups})


def exact_chance(knobs: Mapping[str, Any]) -> float:
    """Returns the probability of any answer, on average over the kinds. Takes the knobs of `chance`."""
    n, cups = _num_events(knobs), _num_cups(knobs)
    one = {"direction": 1 / _directions(knobs), "faster": 0.5, "order": 1 / factorial(n), "hidden": 1 / cups}
    return _mean_of_kinds(knobs, one)


def best_constant(truths: Sequence[str], seconds: Sequence[float]) -> list[str]:
    """Returns for each question the commonest truth among those of its form: a direction, an order, or one digit."""
    by_form = {_form(truth): commonest(t for t in truths if _form(t) == _form(truth)) for truth in truths}
    return [by_form[_form(truth)] for truth in truths]


def _uniform_guess(knobs: Mapping[str, Any], seconds: float, rng: Generator) -> str:
    """Guesses a kind, as it is drawn, and one of its answers."""
    kind = _kinds(knobs)[int(rng.integers(len(_kinds(knobs))))]
    if kind == "order":
        return "".join(str(i + 1) for i in rng.permutation(_num_events(knobs)))
    if kind == "direction":
        return DIRECTIONS[rng.integers(_directions(knobs)) * len(DIRECTIONS) // _directions(knobs)]
    return str(rng.integers(2 if kind == "faster" else _num_cups(knobs)) + 1)


GUESSES = {"uniform guess": _uniform_guess}


def _form(truth: str) -> str:
    if truth in DIRECTIONS:
        return "direction"
    return "order" if len(truth) > 1 else "digit"


def _mean_of_kinds(knobs: Mapping[str, Any], value: Mapping[str, float]) -> float:
    return fmean(value[kind] for kind in _kinds(knobs))


def _kinds(knobs: Mapping[str, Any]) -> Sequence[str]:
    kinds = knobs.get("kinds", KINDS)
    if not isinstance(kinds, list | tuple) or not kinds or not set(map(str, kinds)) <= set(KINDS):
        raise ValueError(f"kinds must be a list of {', '.join(KINDS)}, not {repr(kinds)[:80]}")
    return kinds


def _directions(knobs: Mapping[str, Any]) -> int:
    count = whole_number(knobs, "directions", 8, 4, 8)
    if count not in (4, 8):
        raise ValueError(f"directions must be 4 or 8, not {count}")
    return count


def _num_events(knobs: Mapping[str, Any]) -> int:
    return whole_number(knobs, "num_events", 3, FEWEST_EVENTS, MOST_EVENTS)


def _num_cups(knobs: Mapping[str, Any]) -> int:
    return whole_number(knobs, "num_cups", 3, FEWEST_CUPS, MOST_CUPS)


def _read(text: str, ground_truth: str) -> str | None:
    """Returns the answer, of the truth's form, that the completion ends up with."""
    if ground_truth in DIRECTIONS:
        return read_direction(text)
    if is_order(ground_truth, FEWEST_EVENTS):
        return read_order(text, len(ground_truth), EVENT_LABELS)
    if re.fullmatch("[1-9]", ground_truth):
        return final_answer(text, _digits)
    raise ValueError(
        "ground truth of motion_primitives must be a direction like up-left, an order like 213, or one digit, not "
        f" {ground_truth!r}"
    )


def _digits(text: str) -> Iterator[str | None]:
    text = re.sub(r"\b([1-9])(?:st|nd|rd|th)\b", r"\1", text)
    if not re.search("[0-9]", text):  # else "at first" would be an answer too
        text = _ORDINAL.sub(lambda word: str(ORDINALS[word[0].lower()]), text)
    for run in item_runs(text, NUMBER, ORDER_LINKS, EVENT_LABELS):
        start, end = run.items[0].start(), run.items[0].end()
        if len(run.items) == 1 and _TOTAL.match(text, end):  # "of the 3 squares"
            continue
        digit = text[start:end]
        sure = len(run.items) == 1 and re.fullmatch("[1-9]", digit) and not _FROM_RIGHT.match(text, end)
        yield digit if sure and not run.doubtful else None
