"""What rules without learning score on a benchmark. For each subset it takes the rule that does best by the published
metric.

Rules need the videos, and time. So their answers are written once, beside the questions, when the benchmark is built.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from videossr_verl.evaluate.attacks.answer_rows import Answers, answer_rows
from videossr_verl.evaluate.questions import read_questions
from videossr_verl.evaluate.viubench.score import score
from videossr_verl.files.json_text import read_object
from videossr_verl.files.whole_file import write_whole
from videossr_verl.rows.schema import Row

NAME = "best rule without learning"
MAX_ANSWERS = 2**28  # characters
_FILE = "best_rules.json"  # {"questions": SHA-256 of test.parquet, "rules": {subset: rule}, "answers": {index: text}}


def write_best_rules(folder: Path, data_root: str | Path, workers: int) -> None:
    """Writes the best rules' answers to `folder`/test.parquet beside it, unless they are there.

    Raises:
        BadInput: no questions there, or all of tasks without rules.
    """
    if read_best_rules(folder) is not None:
        return
    rows = read_questions(folder / "test.parquet")
    subsets = {row["extra_info"]["index"]: row["data_source"] for row in rows}
    answers = answer_rows(rows, data_root, workers)
    best = {subset: _best_rule([r for r in rows if r["data_source"] == subset], answers) for subset in subsets.values()}
    best = {subset: rule for subset, rule in best.items() if rule is not None}
    own = {index: answers[best[subset]] for index, subset in subsets.items() if subset in best}
    texts = {index: given[index] for index, given in own.items() if index in given}
    data = {"questions": _digest(folder), "rules": best, "answers": texts}
    write_whole(folder / _FILE, json.dumps(data, indent=2) + "\n")


def read_best_rules(folder: Path) -> dict[int, str] | None:
    """Returns answers by the row's index, or None if there are none to these questions."""
    try:
        found = read_object((folder / _FILE).read_text(encoding="utf-8"), MAX_ANSWERS)
        if found["questions"] != _digest(folder):
            return None
        return {int(index): str(text) for index, text in found["answers"].items()}
    except (FileNotFoundError, ValueError, KeyError, AttributeError):
        return None


def _best_rule(rows: Sequence[Row], answers: Answers) -> str | None:
    """Returns the best rule of each column, or None if no rule answers any of the rows."""
    asked = {row["extra_info"]["index"] for row in rows}
    values = {}
    for rule, texts in answers.items():
        if own := {index: text for index, text in texts.items() if index in asked}:
            (column,) = score(rows, own)
            values[rule] = column.value
    return max(values, key=values.__getitem__, default=None)


def _digest(folder: Path) -> str:
    return sha256((folder / "test.parquet").read_bytes()).hexdigest()
