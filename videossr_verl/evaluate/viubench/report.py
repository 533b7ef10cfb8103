"""Turns a model's answers to a built VIUBench into the table, printed and written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from videossr_verl.evaluate.answers import read_answers
from videossr_verl.evaluate.baselines import baselines
from videossr_verl.evaluate.questions import read_questions
from videossr_verl.evaluate.scores import score_rows, scores_as_data, scores_as_markdown
from videossr_verl.evaluate.viubench.best_rules import NAME, read_best_rules
from videossr_verl.evaluate.viubench.score import score
from videossr_verl.evaluate.viubench.table import as_data, as_markdown
from videossr_verl.files.whole_file import write_whole
from videossr_verl.files.writable_folder import make_result_folder
from videossr_verl.printable import tell


def write_scores(
    benchmark: str | Path, answers: str | Path, name: str, out: str | Path | None = None, mvp: str | Path | None = None
) -> str:
    """Scores answers to a benchmark. Returns the Markdown, and writes it and JSON into `out`.

    Args:
        answers: to OUT/viubench.
        mvp: answers to OUT/mvp; None leaves that part out.

    Raises:
        BadInput: no benchmark or answers there, or answers that do not belong to it.
    """
    parts = {"viubench": _viubench(Path(benchmark), answers, name)}
    if mvp is not None:
        scores = score_rows(read_questions(Path(benchmark) / "mvp" / "test.parquet"), read_answers(mvp))
        parts["mvp"] = (scores_as_data(name, scores), scores_as_markdown(name, scores))
    if out is not None:
        folder = Path(out)
        make_result_folder(folder)
        for part, (data, text) in parts.items():
            write_whole(folder / f"{part}.json", json.dumps(data, indent=2) + "\n")
            write_whole(folder / f"{part}.md", text)
    return "\n".join(text for _, text in parts.values())


def _viubench(benchmark: Path, answers: str | Path, name: str) -> tuple[Any, str]:
    rows = read_questions(benchmark / "viubench" / "test.parquet")
    scored = {baseline: score(rows, guesses) for baseline, guesses in baselines(rows).items()}
    if (rules := read_best_rules(benchmark / "viubench")) is not None:
        scored[NAME] = score(rows, rules)
    else:
        tell(f"note: no answers of rules to these questions, so no row '{NAME}': build anew for it", file=sys.stderr)
    scored[name] = score(rows, read_answers(answers))
    return [as_data(model, columns) for model, columns in scored.items()], as_markdown(scored)
