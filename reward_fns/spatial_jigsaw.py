"""Reward of the spatial jigsaw: which piece belongs into each place of the picture, and how is it turned?

With r x c places in reading order, and y the pieces of the answer:
    placement   1 - E / Emax. E is the sum over the pieces of the distance between the place in y and the right one, in
                rows plus columns; Emax = c * floor(r^2 / 2) + r * floor(c^2 / 2) is that of the reversed order, the
                largest there is. So a piece in the right row or beside its place earns a part. For one row this is
                VideoSSR's reward of the temporal jigsaw (arXiv 2511.06281).
    turn        share of the pieces whose turn is named, wherever y puts them
    score       placement; with turns the mean of placement and turn
`acc` is 1 for the exact answer. The share of pieces in the right place (Visual Jigsaw, arXiv 2509.25190) does not
tell a piece beside its place from one in the far corner; Visual Jigsaw pays a fifth of it, short of the exact order.

Read as an answer without turns: as in the temporal jigsaw, a permutation of 1..n (`reward_fns.digit_orders`). With
turns: n numbers, each with a turn behind it, as a letter or a word: "3U,1M,4L,2D", "3 upright, 1 mirrored, 4 left, 2
upside down". A number or a turn that is missing or too much is no answer (`parsed` 0).

Chance: the orders and the turns are equally likely, so all answers that can be read earn the same on average:
1 - n ((r^2 - 1) / 3r + (c^2 - 1) / 3c) / Emax for the placement, 1/5 for the turns. Strict (the exact answer):
1 / n!, with turns 1 / (n! 5^n).

Metric (ours): the share of pieces in the right place and, with turns, named with the right turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from math import factorial
from typing import TYPE_CHECKING, Any

from reward_fns.digit_orders import MAX_ITEMS, is_order, read_order
from reward_fns.final_answer import final_answer
from reward_fns.item_runs import item_runs
from reward_fns.knobs import whole_number
from reward_fns.vocabulary import ANSWER_WORDS, CLIP_LABELS, ORDER_LINKS

if TYPE_CHECKING:
    from numpy.random import Generator

PARTS = ("placement", "turn")

_TURNS = "UMRDL"
_WORDS = {turn.lower(): turn for turn in _TURNS} | {
    "upright": "U",
    "mirrored": "M",
    "clockwise": "R",
    "right": "R",
    "upside down": "D",
    "upside-down": "D",
    "down": "D",
    "anticlockwise": "L",
    "counterclockwise": "L",
    "left": "L",
}
_TURN = rf"(?:(?:turned|shown|rotated|is) ){{0,3}}({'|'.join(sorted(_WORDS, key=len, reverse=True))})(?![A-Za-z\d])"
_PIECE = re.compile(rf"(?<![A-Za-z\d.])([1-9]) ?(?:- ?)?{_TURN}", re.IGNORECASE)
_OR = re.compile(rf",? (?:or|maybe|perhaps|possibly) {_TURN}", re.IGNORECASE)  # "3U,1M,4L,2D or U"
# "3: U" and JSON's '"3": "U"' would be taken for the number of a list, and an answer a line for no list.
_COLON = re.compile(rf"(?<=[1-9])[\"'*`]{{0,3}} ?[:=(] ?[\"'*`(]{{0,3}}(?={_TURN})", re.IGNORECASE)
_NEXT_LINE = re.compile(r"(?<=[A-Za-z])[.,;]? ?\n+(?= ?(?:[A-Za-z]+ )?[1-9])")
_BESIDE = ANSWER_WORDS | {word for words in _WORDS for word in re.split("[ -]", words)} | {"turned", "shown", "rotated"}

_LABELS = CLIP_LABELS | {"first"}  # "piece 3 upright first, then piece 1"

Answer = tuple[str, str]  # the order, and the turn of each piece of it, or ""


def score(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float, float]:
    """Returns (score, acc, parsed) of the completion `text`. Takes the knobs of `score_in_parts` and raises as it
    does.
    """
    return score_in_parts(text, ground_truth, knobs)[:3]


def score_in_parts(
    text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None
) -> tuple[float, float, float, dict[str, float]]:
    """Returns (score, acc, parsed, parts) of the completion `text`; the parts are `placement`, and `turn` if pieces are
    turned.

    Args:
        knobs: rows (default 2), columns (default 3), turns (default false).

    Raises:
        ValueError: the ground truth or a knob is malformed.
    """
    knobs = knobs or {}
    truth = _truth(ground_truth, knobs)
    names = PARTS if truth[1] else PARTS[:1]
    answer = _read(text, truth)
    if answer is None:
        return 0.0, 0.0, 0.0, dict.fromkeys(names, 0.0)
    earned = [_placement(answer[0], truth[0], _sizes(knobs)[1])]
    if truth[1]:
        earned.append(_share(_turns_by_piece(answer), _turns_by_piece(truth)))
    return sum(earned) / len(earned), float(answer == truth), 1.0, dict(zip(names, earned, strict=True))


def metric(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float]:
    """Returns (share of pieces that are wholly right, parsed). Raises as `score_in_parts` does."""
    truth = _truth(ground_truth, knobs or {})
    answer = _read(text, truth)
    if answer is None:
        return 0.0, 0.0
    return _share(*(list(zip(*filter(None, one), strict=True)) for one in (answer, truth))), 1.0


def chance(knobs: Mapping[str, Any]) -> float:
    """Returns the expected score of any constant answer.

    Args:
        knobs: rows (default 2), columns (default 3), turns (default false).
    """
    rows, columns, turns = _sizes(knobs)
    apart = sum((side * side - 1) / (3 * side) for side in (rows, columns))  # the mean distance of two places
    placement = 1 - rows * columns * apart / _largest_error(rows, columns)
    return (placement + 1 / len(_TURNS)) / 2 if turns else placement


def exact_chance(knobs: Mapping[str, Any]) -> float:
    """Returns the probability of any answer that can be read. Takes the knobs of `chance`."""
    rows, columns, turns = _sizes(knobs)
    count = rows * columns
    return 1 / (factorial(count) * (len(_TURNS) ** count if turns else 1))


def _uniform_guess(knobs: Mapping[str, Any], seconds: float, rng: Generator) -> str:
    """Guesses an order, and turns, at random."""
    rows, columns, turns = _sizes(knobs)
    pieces = [str(piece + 1) for piece in rng.permutation(rows * columns)]
    return ",".join(piece + str(rng.choice(list(_TURNS))) for piece in pieces) if turns else "".join(pieces)


GUESSES = {"uniform guess": _uniform_guess}


def _sizes(knobs: Mapping[str, Any]) -> tuple[int, int, bool]:
    """Returns (rows, columns, turns)."""
    rows, columns = (
        whole_number(knobs, name, default, 1, MAX_ITEMS) for name, default in (("rows", 2), ("columns", 3))
    )
    turns = knobs.get("turns", False)
    if not 2 <= rows * columns <= MAX_ITEMS:
        raise ValueError(f"rows x columns of spatial_jigsaw must be 2 to 9 pieces, not {rows} x {columns}")
    if not isinstance(turns, bool):
        raise ValueError(f"turns of spatial_jigsaw must be true or false, not {repr(turns)[:40]}")
    return rows, columns, turns


def _placement(answer: str, truth: str, columns: int) -> float:
    error = 0
    for piece in truth:
        (row, column), (right_row, right_column) = (divmod(order.index(piece), columns) for order in (answer, truth))
        error += abs(row - right_row) + abs(column - right_column)
    return 1 - error / _largest_error(len(truth) // columns, columns)


def _largest_error(rows: int, columns: int) -> int:
    return columns * (rows * rows // 2) + rows * (columns * columns // 2)


def _turns_by_piece(answer: Answer) -> list[str]:
    return [turn for _, turn in sorted(zip(*answer, strict=True))]


def _share(answer: list[Any], truth: list[Any]) -> float:
    return sum(a == b for a, b in zip(answer, truth, strict=True)) / len(truth)


def _truth(ground_truth: str, knobs: Mapping[str, Any]) -> Answer:
    rows, columns, turns = _sizes(knobs)
    pieces = ground_truth.split(",") if turns else list(ground_truth)
    order = "".join(piece[:1] for piece in pieces)
    shown = "".join(piece[1:] for piece in pieces)
    fits = is_order(order) and len(order) == rows * columns
    if not fits or not all(len(piece) == 1 + turns for piece in pieces) or not set(shown) <= set(_TURNS):
        form = "3U,1M,4L,2D with a turn (U, M, R, D or L) behind each" if turns else "3142"
        raise ValueError(
            f"ground truth of spatial_jigsaw must be the {rows * columns} pieces of {rows} x {columns} in the form "
            f"{form}, not {ground_truth!r}"
        )
    return order, shown


def _read(text: str, truth: Answer) -> Answer | None:
    count = len(truth[0])
    if not truth[1]:
        order = read_order(text, count, CLIP_LABELS)
        return None if order is None else (order, "")
    return final_answer(_COLON.sub(" ", text), partial(_candidates, count=count), lambda word: word.lower() in _BESIDE)


def _candidates(text: str, count: int) -> Iterator[Answer | None]:
    text = _NEXT_LINE.sub(", ", text)
    for run in item_runs(text, _PIECE, ORDER_LINKS, _LABELS):
        order = "".join(piece[1] for piece in run.items)
        if len(order) == count and is_order(order):
            doubtful = run.doubtful or _OR.match(text, run.items[-1].end())
            yield None if doubtful else (order, "".join(_WORDS[piece[2].lower()] for piece in run.items))
