"""Asks an engine the questions of a data set. Each comes back with its completions, or with why it has none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from tqdm import tqdm

from videossr_verl.errors import BadInput
from videossr_verl.evaluate.engine import Engine, Lost, Sampling
from videossr_verl.evaluate.questions import Question, questions
from videossr_verl.rows.schema import Row
from videossr_verl.video.rejected import VideoRejected

BATCH = 64  # how many completions are asked for at once
LOST_IN_A_ROW = 16  # after so many it is not the questions' fault


def ask(
    rows: Sequence[Row], data_root: str | Path, engine: Engine, how: Sampling
) -> Iterator[tuple[int, list[str] | Lost | VideoRejected]]:
    """Yields (id, completions) of each row as they come, or (id, rejection) if the row's video cannot be shown.

    Raises:
        BadInput: `LOST_IN_A_ROW` questions in a row got no answer, or the engine cannot answer any.
    """
    rendered = questions(rows, data_root, engine.factor)
    lost = 0
    with tqdm(desc="ask", total=len(rows), unit="question") as bar:
        while batch := list(islice(rendered, -(-BATCH // how.samples))):
            ready = [question for _, question in batch if isinstance(question, Question)]
            rejected = [(identity, error) for identity, error in batch if not isinstance(error, Question)]
            for identity, outcome in chain(rejected, engine.answer(ready, how)):
                bar.update()
                yield identity, outcome
                if isinstance(outcome, VideoRejected):
                    continue
                lost = lost + 1 if isinstance(outcome, Lost) else 0
                if isinstance(outcome, Lost) and lost == LOST_IN_A_ROW:
                    raise BadInput(f"{lost} questions in a row got no answer, the last because {outcome.reason}")


def tell_unanswered(total: int, not_shown: Sequence[str], lost: Sequence[str]) -> str:
    """Returns one sentence with the numbers and the first reason of each kind, or "" if every question has an answer.

    Args:
        total: questions.
        not_shown: why videos cannot be shown.
        lost: why nothing came back for a question that was asked.
    """
    parts = [
        f"{len(reasons)} {what} (first: {reasons[0]})"
        for what, reasons in (("whose video cannot be shown", not_shown), ("lost", lost))
        if reasons
    ]
    return f"{len(not_shown) + len(lost)} of {total} questions have no answer: {', '.join(parts)}" if parts else ""
