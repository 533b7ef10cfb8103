"""Gets a model's answers to a data set, and their scores. It can resume, and nothing leaves the denominator."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from videossr_verl.errors import BadInput, MachineError, machine_failure
from videossr_verl.evaluate.answers import Answer, append_answer, read_outcomes
from videossr_verl.evaluate.asking import ask, tell_unanswered
from videossr_verl.evaluate.engine import TIMEOUT, Lost, Sampling, check_numbers, open_engine
from videossr_verl.evaluate.questions import read_questions
from videossr_verl.evaluate.scores import SubsetScore, draw_scores, score_rows, scores_as_data, scores_as_markdown
from videossr_verl.evaluate.server import read_server
from videossr_verl.files.json_text import read_object
from videossr_verl.files.one_writer import one_writer
from videossr_verl.files.whole_file import whole_file, write_whole
from videossr_verl.rows.schema import Row
from videossr_verl.video.rejected import VideoRejected


@dataclass(frozen=True)
class EvalSettings:
    """What to evaluate.

    Attributes:
        model: folder, hub name, or the name by which the server knows it.
        data: parquet file of `videossr build` or `viubench build`.
        data_root: folder that its video paths are relative to.
        out: folder for answers.jsonl, scores.json, scores.md and scores.png.
        base_url: of a server with OpenAI's interface; None: vLLM in this process.
        timeout: seconds for one answer of a server, tries and waits included.
        temperature: 0 is greedy.
        max_tokens: of a completion.
        limit: only the first so many questions.
    """

    model: str
    data: str
    data_root: str
    out: str
    base_url: str | None = None
    timeout: float = TIMEOUT
    temperature: float = 0.0
    max_tokens: int = 128
    limit: int | None = None
    seed: int = 0


class Evaluation(NamedTuple):
    """What a model's answers earn.

    Attributes:
        scores: of each subset.
        unanswered: one sentence about the questions without an answer, "" if there are none.
        text: both as a table.
    """

    scores: list[SubsetScore]
    unanswered: str
    text: str


def evaluate(settings: EvalSettings, engine_options: dict[str, Any] | None = None) -> Evaluation:
    """Asks the questions without an answer, scores, and writes the scores.

    Raises:
        BadInput: wrong data, a folder of another evaluation, a model or server that cannot be had.
        MachineError, OSError: vLLM stopped, or the folder cannot be written. The answers so far are kept.
    """
    check_numbers(settings.limit, settings.max_tokens, settings.temperature, settings.timeout)
    rows = read_questions(settings.data)[: settings.limit]
    if not Path(settings.data_root).is_dir():
        raise BadInput(f"data root '{settings.data_root}' is not a folder on this machine; give --data-root")
    asked, out = _what_is_asked(settings), Path(settings.out)
    with one_writer(out, "videossr eval"):
        _claim(out, asked)
        return _answer_and_score(rows, settings, out, engine_options)


def _what_is_asked(settings: EvalSettings) -> dict[str, Any]:
    """Returns which model and questions a folder's answers belong to. The server's address stands without what may be
    secret in it.
    """
    return {
        "model": settings.model,
        "server": None if settings.base_url is None else read_server(settings.base_url).shown,
        "data": sha256(Path(settings.data).read_bytes()).hexdigest(),
        "temperature": settings.temperature,
        "max_tokens": settings.max_tokens,
        "seed": settings.seed,
    }


def _answer_and_score(
    rows: Sequence[Row], settings: EvalSettings, out: Path, engine_options: dict[str, Any] | None
) -> Evaluation:
    file = out / "answers.jsonl"
    known = read_outcomes(file) if file.exists() else {}
    left = [row for row in rows if (answer := known.get(row["extra_info"]["index"])) is None or answer.lost]
    if left:
        engine = open_engine(settings.model, settings.base_url, settings.timeout, rows, engine_options)
        how = Sampling(1, settings.temperature, settings.max_tokens, settings.seed)
        try:
            for identity, outcome in ask(left, settings.data_root, engine, how):
                append_answer(file, identity, _answer(outcome))
        except (BadInput, MachineError) as error:
            raise type(error)(f"{error}; the answers so far are kept, and the same command goes on") from error
    return _score(rows, read_outcomes(file), settings.model, out)


def _answer(outcome: list[str] | Lost | VideoRejected) -> Answer:
    if isinstance(outcome, Lost):
        return Answer("", outcome.reason, lost=True)
    if isinstance(outcome, VideoRejected):
        return Answer("", str(outcome))
    (text,) = outcome
    return Answer(text)


def _score(rows: Sequence[Row], answers: Mapping[int, Answer], model: str, out: Path) -> Evaluation:
    scores = score_rows(rows, {identity: answer.text for identity, answer in answers.items()})
    errors = [(answer.error, answer.lost) for answer in answers.values() if answer.error is not None]
    not_shown, lost = ([error for error, is_lost in errors if is_lost == of_lost] for of_lost in (False, True))
    text = scores_as_markdown(model, scores)
    if unanswered := tell_unanswered(len(rows), not_shown, lost):
        unanswered += f"; each earns 0{'; the same command asks the lost ones again' if lost else ''}"
        text += f"\n{unanswered}\n"
    data = scores_as_data(model, scores) | {"not_shown": len(not_shown), "lost": len(lost)}
    write_whole(out / "scores.json", json.dumps(data, indent=2) + "\n")
    write_whole(out / "scores.md", text)
    with whole_file(out / "scores.png") as partial:
        draw_scores(scores, partial)
    return Evaluation(scores, unanswered, text)


def _claim(out: Path, asked: Mapping[str, Any]) -> None:
    """Notes in OUT which model and questions its answers belong to. Raises BadInput if they belong to others."""
    note = out / "eval.json"
    try:
        found = read_object(note.read_text(errors="replace")) if note.exists() else asked
    except ValueError as error:
        raise BadInput(f"'{out}' cannot be used: its eval.json is {error}") from error
    except OSError as error:
        if machine_failure(error):
            raise
        raise BadInput(f"'{out}' cannot be used: {error}") from error
    if found != asked:
        other = next((key for key in asked if found.get(key) != asked[key]), "setting")
        raise BadInput(f"'{out}' holds answers with another {other}; give another --out, or delete it to start anew")
    write_whole(note, json.dumps(asked, indent=2) + "\n")
    file = out / "answers.jsonl"
    if file.exists() and not os.access(file, os.W_OK):
        raise BadInput(f"'{file}' cannot be written; make it writable, or give another --out")
