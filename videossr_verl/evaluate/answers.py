"""answers.jsonl: one line {"id": the row's index, "answer": the completion} for each question.

A question without an answer has an empty one and the reason as "error". If the line has "lost": true, the question was
asked and got no answer. It is asked again, and the later line replaces this one. Without it, the question's video
cannot be shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from videossr_verl.errors import BadInput
from videossr_verl.files.json_text import read_object

MAX_LINE = 2**24  # characters; a completion of 100,000 tokens has some 500,000


@dataclass(frozen=True)
class Answer:
    """The outcome of a question.

    Attributes:
        text: the completion; empty where there is none.
        error: why there is none.
        lost: it was asked and got none.
    """

    text: str
    error: str | None = None
    lost: bool = False


def read_answers(path: str | Path) -> dict[int, str]:
    """Returns completions by id, empty if a question has none. Raises as `read_outcomes` does."""
    return {identity: answer.text for identity, answer in read_outcomes(path).items()}


def read_outcomes(path: str | Path) -> dict[int, Answer]:
    """Returns what each question has, by id. A last line cut off by a kill is left out.

    Raises:
        BadInput: the file or a line cannot be read, or an id is answered twice.
    """
    try:
        *lines, last = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise BadInput(f"answers '{path}' cannot be read: {error}") from error
    answers: dict[int, Answer] = {}
    for number, line in enumerate([*lines, last] if _is_whole(last) else lines, 1):
        try:
            identity, answer = _read_line(line)
        except ValueError as error:
            raise BadInput(f"line {number} of '{path}' {error}: {line[:80].decode(errors='replace')!r}") from None
        if identity in answers and not answers[identity].lost:
            raise BadInput(f"line {number} of '{path}' answers id {identity} a second time")
        answers[identity] = answer
    return answers


def append_answer(path: str | Path, identity: int, answer: Answer) -> None:
    """Adds a question's line, safely on disk when it returns."""
    entry: dict[str, Any] = {"id": identity, "answer": answer.text}
    if answer.error is not None:
        entry |= {"error": answer.error}
    if answer.lost:
        entry |= {"lost": True}
    append_lines(path, [json.dumps(entry) + "\n"])


def append_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Adds whole lines of JSON to a file, safely on disk when it returns. Removes a last line that a kill cut."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        _end_last_line(file)
        file.write("".join(lines).encode())
        file.flush()
        os.fsync(file.fileno())


def _end_last_line(file: IO[bytes]) -> None:
    """Reads the file only where its last line has no end: a long one grows by many lines."""
    size = file.seek(0, os.SEEK_END)
    if not size:
        return
    file.seek(size - 1)
    if file.read() == b"\n":
        return
    file.seek(0)
    content = file.read()
    start = content.rfind(b"\n") + 1
    if _is_whole(content[start:]):
        file.write(b"\n")
    else:
        file.truncate(start)


def _is_whole(line: bytes) -> bool:
    """Returns whether a line lacks nothing but its line end, as editors and other programs leave it."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _read_line(line: bytes) -> tuple[int, Answer]:
    try:
        entry = read_object(line.decode(), MAX_LINE)
        identity, text, error, lost = entry["id"], entry["answer"], entry.get("error"), entry.get("lost", False)
    except (ValueError, KeyError):
        raise ValueError('is not {"id": ..., "answer": ...}') from None
    if not isinstance(identity, int) or isinstance(identity, bool) or not isinstance(text, str):
        raise ValueError("needs a whole number as id and text as answer")
    if not isinstance(error, str | None) or not isinstance(lost, bool):
        raise ValueError("needs text as error, if it has one, and true or false as lost")
    return identity, Answer(text, error, lost)
