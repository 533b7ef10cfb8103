"""Reads JSON from anywhere, within bounds: its length, its nesting, and no numbers that JSON does not have."""

from __future__ import annotations

import json
from typing import Any

MAX_TEXT = 1_000_000  # the most characters of a value in a row; the tasks' own have some thousand


def read_object(text: object, longest: int = MAX_TEXT) -> dict[str, Any]:
    """Returns the JSON object that `text` holds.

    Raises:
        ValueError: it holds none, or more than `longest` characters; the message continues "it is ...".
    """
    if not isinstance(text, str):
        raise ValueError(f"no JSON text but {type(text).__name__}")
    if len(text) > longest:
        raise ValueError(f"of {len(text)} characters, and may have at most {longest} characters")
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("no JSON: it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"no JSON: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ValueError(f"no JSON object but {type(data).__name__}")
    return data


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")
