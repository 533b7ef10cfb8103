"""A model's answers to a built VIUBench -> the table, printed and written."""

from __future__ import annotations

import json
from pathlib import Path

from videossr_verl.evaluation.answers import read_answers
from videossr_verl.evaluation.baselines import BASELINES
from videossr_verl.evaluation.questions import read_questions
from videossr_verl.evaluation.viubench import score
from videossr_verl.evaluation.viubench_table import as_data, as_markdown


def write_scores(benchmark: str | Path, answers: str | Path, name: str, out: str | Path | None = None) -> str:
    """Scores `answers` to OUT/viubench of a benchmark; returns the Markdown, and writes it and JSON into `out`.

    Raises:
        BadInput: no benchmark or answers there, or answers that do not belong to it.
    """
    rows = read_questions(Path(benchmark) / "viubench" / "test.parquet")
    scored = {baseline: score(rows, guess(rows)) for baseline, guess in BASELINES.items()}
    scored[name] = score(rows, read_answers(answers))
    text = as_markdown(scored)
    if out is not None:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        data = [as_data(model, columns) for model, columns in scored.items()]
        (folder / "viubench.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        (folder / "viubench.md").write_text(text, encoding="utf-8")
    return text
