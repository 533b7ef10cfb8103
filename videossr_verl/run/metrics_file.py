"""What verl's `file` logger writes: one JSON object a line, `{"step": 3, "data": {"critic/score/mean": 0.5, ...}}`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_records(file: Path, start: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The records of the whole lines from byte `start` on, and where the next one begins.

    A last line without an end is left out: a kill cut it off, or it is being written. A file that is not there yet
    holds none.

    Raises:
        ValueError: a line holds no JSON.
    """
    try:
        with file.open("rb") as content:
            content.seek(start)
            whole, end, _ = content.read().rpartition(b"\n")
    except FileNotFoundError:
        return [], start
    return [json.loads(line) for line in whole.split(b"\n") if line], start + len(whole + end)
