"""Rows as strangers write them: a good row with each field broken in each way, one by one or several at once."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from videossr_verl.rows.schema import SCHEMA

Row = dict[str, Any]
Place = tuple[str | int, ...]

COMMANDS = "\x1b]0;owned\x07\x1b[31m\x1b[2J\r\u202e"  # what must never reach a terminal as it is
NESTED: list[Any] = [[[[["a"]]]]]
DEEP = '{"a":' * 100_000
GONE = object()

BREAKS: dict[str, Callable[[Any], Any]] = {
    "missing": lambda value: GONE,
    "null": lambda value: None,
    "another type": lambda value: 7 if isinstance(value, str | list | dict) else "seven",
    "empty": lambda value: type(value)() if isinstance(value, str | list) else 0,
    "huge": lambda value: value * 100_000 if isinstance(value, str | list) else 2**62,
    "negative": lambda value: -1 if not isinstance(value, list) else [-1.0] * len(value),
    "no number": lambda value: float("nan") if not isinstance(value, list) else [float("nan")] * len(value),
    "nested": lambda value: NESTED,
    "a terminal's commands": lambda value: COMMANDS if not isinstance(value, str) else value + COMMANDS,
    "deep JSON": lambda value: DEEP,
    "an address": lambda value: "http://203.0.113.1/a",
    "outside": lambda value: "../../../etc/passwd",
    "no text": lambda value: "\0\ufffe",
}
TOKENS = (
    "<|video_pad|>",
    "<|image_pad|>",
    "<|vision_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<video>",
    "<image>",
    "<audio>",
)
NUMBERS = (0, -1, 1, 2, 3, 10**6, 10**18, 0.5, float("nan"), float("inf"), True, None, "8", [], {}, [1])


def fields(row: Row) -> list[Place]:
    """The places of all fields of the schema that the row has, lists by their first entry."""

    def walk(kind: pa.DataType, value: Any, at: Place) -> Iterator[Place]:
        yield at
        if pa.types.is_struct(kind):
            for field in kind:
                yield from walk(field.type, value[field.name], (*at, field.name))
        elif pa.types.is_list(kind) and value:
            yield from walk(kind.value_type, value[0], (*at, 0))

    return [place for field in SCHEMA for place in walk(field.type, row[field.name], (field.name,))]


def broken(row: Row, place: Place, how: str) -> Row:
    """A copy of the row in which one field is broken."""
    return _changed(row, place, BREAKS[how])


def hostile(row: Row, rng: random.Random) -> tuple[str, Row]:
    """What was done to a copy of the row, and the copy: one to three fields broken, the prompt or the JSON edited."""
    done, places = [], fields(row)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kind = rng.choice(("field", "field", "field", "prompt", "knobs", "truth", "transform"))
        if kind == "field":
            place, how = rng.choice(places), rng.choice(list(BREAKS))
            what, edit = f"{'.'.join(map(str, place))} {how}", lambda r, p=place, h=how: broken(r, p, h)
        else:
            what, edit = _EDITS[kind](rng)
        try:
            row = edit(row)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            continue  # what it edits is broken already
        done.append(what)
    return "; ".join(done), row


def _prompt(rng: random.Random) -> tuple[str, Callable[[Row], Row]]:
    token, before = rng.choice(TOKENS), rng.random() < 0.5
    place = ("prompt", -1, "content")
    return f"{token} in the prompt", lambda row: _changed(row, place, lambda t: token + t if before else t + token)


def _knobs(rng: random.Random) -> tuple[str, Callable[[Row], Row]]:
    number, pick = rng.choice(NUMBERS), rng.random()

    def edit(text: str) -> str:
        knobs = json.loads(text)
        knobs[list(knobs)[int(pick * len(knobs))]] = number
        return json.dumps(knobs)

    return f"a knob {number!r}", lambda row: _changed(row, ("extra_info", "difficulty"), edit)


def _truth(rng: random.Random) -> tuple[str, Callable[[Row], Row]]:
    truth = rng.choice(
        ("x", "A", "1", "1.0-", "9.9-1.0", "0,0,0", "987654321", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "1" * 5000)
    )
    return f"truth {truth[:30]}", lambda row: _changed(row, ("reward_model", "ground_truth"), lambda _: truth)


def _transform(rng: random.Random) -> tuple[str, Callable[[Row], Row]]:
    value, pick = (
        rng.choice((*NUMBERS, "x", {"video": "../a", "times": [0, 1], "width": 64, "height": 48})),
        rng.random(),
    )

    def edit(text: str) -> str:
        change = json.loads(text)
        names = [*change, "source", "start", "perturbation", "drawn"]
        return json.dumps(change | {names[int(pick * len(names))]: value})

    return f"transform with {str(value)[:30]}", lambda row: _changed(row, ("videos", 0, "transform"), edit)


_EDITS = {"prompt": _prompt, "knobs": _knobs, "truth": _truth, "transform": _transform}


def _changed(row: Row, place: Place, change: Callable[[Any], Any]) -> Row:
    row = copy.deepcopy(row)
    *above, last = place
    where: Any = row
    for step in above:
        where = where[step]
    value = change(where[last])
    if value is not GONE:
        where[last] = value
    else:
        del where[last]
    return row
