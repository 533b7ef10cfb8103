"""Directions in a picture: how eight of them are written, and how far two of them lie apart.

Read as a direction: one word ("up", "leftwards", "north", "上"), a vertical and a horizontal one together ("up-left",
"top right", "up and to the left", "northeast", "右上"), or an opposite pair that says from where to where ("from left
to right", "bottom left to top right").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reward_fns.final_answer import final_answer
from reward_fns.item_runs import Run, item_runs
from reward_fns.vocabulary import ANSWER_WORDS

# Clockwise, 45 degrees apart.
DIRECTIONS = ("up", "up-right", "right", "down-right", "down", "down-left", "left", "up-left")
_DEGREES = 45

_WORDS = {
    "up": ("up", "upper", "upward", "upwards", "top", "north", "northward", "northwards", "上"),
    "down": ("down", "lower", "downward", "downwards", "bottom", "south", "southward", "southwards", "下"),
    "left": ("left", "leftward", "leftwards", "west", "westward", "westwards", "左"),
    "right": ("right", "rightward", "rightwards", "east", "eastward", "eastwards", "右"),
}
_MEANING = {word: way for way, words in _WORDS.items() for word in words}
_OPPOSITE = {"up": "down", "down": "up", "left": "right", "right": "left"}
_ENGLISH = "|".join(sorted((word for word in _MEANING if word.isascii()), key=len, reverse=True))
# "ends up" and "the right answer" name no direction. In "northeast" and "upleft" two words are written as one.
_WORD = re.compile(
    rf"(?<![A-Za-z'])(?<!end )(?<!ends )(?<!ended )(?<!speeds )(?:{_ENGLISH})(?![A-Za-z'])"
    r"(?! (?:answer|option|choice|direction|one|order)\b)"
    r"|(?<![A-Za-z])(?:north|south|up|down)(?=(?:east|west|left)(?:wards?)?(?![A-Za-z]))"
    r"|(?:(?<=north|south)(?:east|west)|(?:(?<=up)|(?<=down))left)(?:wards?)?(?![A-Za-z])|[上下左右]",
    re.IGNORECASE,
)
_FROM_TO = frozenset({"to", "- to -", "→"})
_TOGETHER = frozenset({"", "-", ",", "and", ", and", "and to", ", and to"})
_FILLERS = frozenset({"the", "diagonally", "towards", "toward", "side", "corner", "of", "方", "in"})
_BESIDE = ANSWER_WORDS | _FILLERS | {"direction", "moves", "moving", "it", "is", "diagonal"}


def read_direction(text: str) -> str | None:
    """Returns the one of `DIRECTIONS` that the completion `text` ends up with, or None."""
    return final_answer(text, _candidates, lambda word: word.lower() in _BESIDE or bool(_WORD.fullmatch(word)))


def nearness(a: str, b: str) -> float:
    """Returns 1 - angle / 90 degrees between two of `DIRECTIONS`, and 0 from a right angle on: 1, 0.5 or 0."""
    return max(0.0, 1.0 - _apart(a, b) * _DEGREES / 90)


def _candidates(text: str) -> Iterator[str | None]:
    for run in item_runs(text, _WORD, _FROM_TO | _TOGETHER, _FILLERS):
        yield None if run.doubtful else _meaning(run)


def _meaning(run: Run) -> str | None:
    """Returns what a run of words says, or None if that is no one direction."""
    parts: list[list[str]] = [[]]
    for word, link in zip(run.items, ["", *run.links], strict=True):
        way = _MEANING[word[0].lower()]
        # "up to the left" is one direction, "left to the right" goes from one side to the other.
        if link in _FROM_TO and (len(parts[-1]) > 1 or _OPPOSITE[way] in parts[-1]):
            parts.append([])
        parts[-1].append(way)
    ways = [_together(part) for part in parts]
    if len(ways) == 1:
        return ways[0]
    start, end = ways[0], ways[-1]
    return end if len(ways) == 2 and start and end and _apart(start, end) == 4 else None


def _together(words: list[str]) -> str | None:
    """Returns the direction of one word, or of a vertical and a horizontal one in any order."""
    name = "-".join(sorted(set(words), key=lambda word: word in ("left", "right")))
    return name if name in DIRECTIONS else None


def _apart(a: str, b: str) -> int:
    """Returns how many steps of 45 degrees lie between two directions, 0 to 4."""
    steps = abs(DIRECTIONS.index(a) - DIRECTIONS.index(b))
    return min(steps, len(DIRECTIONS) - steps)
