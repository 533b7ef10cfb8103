"""A model's answers to a data set, and their scores: resumable, and nothing leaves the denominator."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from videossr_verl.errors import BadInput
from videossr_verl.evaluation.answers import append_answers, read_answers
from videossr_verl.evaluation.questions import Question, questions, read_questions
from videossr_verl.evaluation.scores import draw_scores, score_rows, scores_as_data, scores_as_markdown
from videossr_verl.json_text import read_object

BATCH = 64  # questions asked at once, and lost at most when the run is killed


class Engine(Protocol):
    """What answers: `VllmEngine` or `OpenAIEngine`."""

    factor: int

    def answer(
        self, asked: Sequence[Question], samples: int, temperature: float, max_tokens: int, seed: int
    ) -> list[list[str]]:
        """`samples` completions of each question."""
        ...


@dataclass(frozen=True)
class EvalSettings:
    """What to evaluate.

    Attributes:
        model: folder, hub name, or the name by which the server knows it.
        data: parquet file of `videossr build` or `viubench build`.
        data_root: folder that its video paths are relative to.
        out: folder for answers.jsonl, scores.json, scores.md and scores.png.
        base_url: of a server with OpenAI's interface; None: vLLM in this process.
        temperature: 0 is greedy.
        max_tokens: of a completion.
        limit: only the first so many questions.
    """

    model: str
    data: str
    data_root: str
    out: str
    base_url: str | None = None
    temperature: float = 0.0
    max_tokens: int = 128
    limit: int | None = None
    seed: int = 0


def evaluate(settings: EvalSettings, engine_options: dict[str, Any] | None = None) -> str:
    """Asks what is not answered yet, scores, writes, and returns the table.

    Raises:
        BadInput: wrong data, a folder of another evaluation, a model or server that cannot be had.
    """
    check_numbers(limit=settings.limit, max_tokens=settings.max_tokens, temperature=settings.temperature)
    rows = read_questions(settings.data)[: settings.limit]
    if not Path(settings.data_root).is_dir():
        raise BadInput(f"data root '{settings.data_root}' is not a folder on this machine; give --data-root")
    out = Path(settings.out)
    _claim(out, settings)
    file = out / "answers.jsonl"
    known = read_answers(file) if file.exists() else {}
    left = [row for row in rows if row["extra_info"]["index"] not in known]
    if left:
        _ask(left, open_engine(settings.model, settings.base_url, rows, engine_options), settings, file)
    scores = score_rows(rows, read_answers(file))
    (out / "scores.json").write_text(json.dumps(scores_as_data(settings.model, scores), indent=2) + "\n")
    (out / "scores.md").write_text(text := scores_as_markdown(settings.model, scores))
    draw_scores(scores, out / "scores.png")
    return text


def check_numbers(limit: int | None, max_tokens: int, temperature: float) -> None:
    """BadInput for numbers that no evaluation can have."""
    for name, value, low in (("limit", limit, 1), ("max tokens", max_tokens, 1), ("temperature", temperature, 0)):
        if value is not None and not value >= low:
            raise BadInput(f"{name} is {value:g}, must be at least {low}")


def open_engine(
    model: str, base_url: str | None, rows: Sequence[dict[str, Any]], options: dict[str, Any] | None = None
) -> Engine:
    """What answers the rows' questions. BadInput where the model cannot be had."""
    if base_url is not None:
        from videossr_verl.evaluation.openai_engine import OpenAIEngine

        return OpenAIEngine(base_url, model)
    from videossr_verl.evaluation.vllm_engine import VllmEngine

    most = [max(len(row[kind]) for row in rows) for kind in ("videos", "images")]
    return VllmEngine(model, *most, options)


def _ask(rows: Sequence[dict[str, Any]], engine: Engine, settings: EvalSettings, file: Path) -> None:
    waiting: list[Question] = []

    def answer_waiting() -> None:
        texts = engine.answer(waiting, 1, settings.temperature, settings.max_tokens, settings.seed)
        append_answers(file, [(q.id, text, None) for q, (text,) in zip(waiting, texts, strict=True)])
        waiting.clear()

    for identity, question in tqdm(
        questions(rows, settings.data_root, engine.factor), "ask", len(rows), unit="question"
    ):
        if not isinstance(question, Question):
            append_answers(file, [(identity, "", str(question))])
            continue
        waiting.append(question)
        if len(waiting) == BATCH:
            answer_waiting()
    if waiting:
        answer_waiting()


def _claim(out: Path, settings: EvalSettings) -> None:
    """Notes in OUT what its answers are to; BadInput if they are to something else."""
    asked = {
        "model": settings.model,
        "server": settings.base_url,
        "data": sha256(Path(settings.data).read_bytes()).hexdigest(),
        "temperature": settings.temperature,
        "max_tokens": settings.max_tokens,
        "seed": settings.seed,
    }
    note = out / "eval.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        found = read_object(note.read_text()) if note.exists() else None
    except (OSError, ValueError) as error:
        raise BadInput(f"'{out}' cannot be used: {error}") from error
    if found is not None and found != asked:
        other = next(key for key in asked if found.get(key) != asked[key])
        raise BadInput(f"'{out}' holds answers with another {other}; give another --out, or delete it to start anew")
    partial = note.with_suffix(".partial")
    partial.write_text(json.dumps(asked, indent=2) + "\n")
    os.replace(partial, note)
