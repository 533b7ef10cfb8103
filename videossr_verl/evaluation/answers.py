"""answers.jsonl: one line {"id": the row's index, "answer": the completion} for each question.

A question whose video could not be shown has an empty answer, and the reason as "error".
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from videossr_verl.errors import BadInput
from videossr_verl.json_text import read_object

MAX_LINE = 2**24  # characters; a completion of 100,000 tokens has some 500,000


def read_answers(path: str | Path) -> dict[int, str]:
    """Completions by id. A last line cut off by a kill is left out.

    Raises:
        BadInput: the file or a line cannot be read, or an id stands there twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"answers '{path}' cannot be read: {error}") from error
    answers: dict[int, str] = {}
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            entry = read_object(line, MAX_LINE)
            identity, answer = entry["id"], entry["answer"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f'line {number} of \'{path}\' is not {{"id": ..., "answer": ...}}: {line[:80]!r}') from error
        if not isinstance(identity, int) or isinstance(identity, bool) or not isinstance(answer, str):
            raise BadInput(f"line {number} of '{path}' needs a whole number as id and text as answer: {line[:80]!r}")
        if identity in answers:
            raise BadInput(f"line {number} of '{path}' answers id {identity} a second time")
        answers[identity] = answer
    return answers


def append_answers(path: str | Path, answers: Iterable[tuple[int, str, str | None]]) -> None:
    """Adds (id, answer, error or None) to the file, safely on disk when it returns; a cut last line is removed."""
    lines = []
    for identity, answer, error in answers:
        entry = {"id": identity, "answer": answer} | ({"error": error} if error else {})
        lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
    append_lines(path, lines)


def append_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Adds whole lines to a file, safely on disk when it returns; a last line that a kill cut is removed."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
        file.write("".join(lines).encode())
        file.flush()
        os.fsync(file.fileno())
