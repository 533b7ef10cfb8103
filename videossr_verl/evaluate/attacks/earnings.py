"""Tells what each rule earns beside chance, by subset, as a table and JSON data."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from videossr_verl.errors import BadInput
from videossr_verl.evaluate.attacks.answer_rows import Answers, answer_rows, rules_of
from videossr_verl.evaluate.scores import SubsetScore, score_rows
from videossr_verl.files.whole_file import write_whole
from videossr_verl.printable import tell
from videossr_verl.rows.schema import Row

Earnings = dict[str, dict[str, SubsetScore]]


def attack(rows: Sequence[Row], data_root: str | Path, workers: int) -> Earnings:
    """Answers the rows by all rules of their tasks, and returns what these earn. Tells how many rows are left out.

    Raises:
        BadInput: no row's task has rules, or no row's video can be shown.
    """
    answers = answer_rows(rows, data_root, workers)
    shown = len(set().union(*answers.values()))
    if not shown:
        raise BadInput(f"none of the {len(rows)} videos can be shown: give --data-root")
    asked = sum(rules_of(row["extra_info"]["task"]) is not None for row in rows)
    if shown < asked:
        tell(f"note: {asked - shown} of {asked} videos cannot be shown: left out", file=sys.stderr)
    return earnings(rows, answers)


def earnings(rows: Sequence[Row], answers: Answers) -> Earnings:
    """Returns subset -> rule -> score by the training's rewards, the best first, over the questions that the rule
    answers.
    """
    found: Earnings = {}
    for rule, texts in answers.items():
        for score in score_rows([row for row in rows if row["extra_info"]["index"] in texts], texts):
            found.setdefault(score.subset, {})[rule] = score
    return {
        subset: dict(sorted(rules.items(), key=lambda item: -item[1].reward)) for subset, rules in sorted(found.items())
    }


def as_text(found: Earnings) -> str:
    """Returns a table in which the best rule of a subset comes first, with its lead over chance."""
    lines = [f"{'subset':<40}{'rule':<36}{'questions':>10}{'reward':>8}{'exact':>7}{'chance':>8}{'lead':>8}"]
    for subset, rules in found.items():
        for place, (rule, score) in enumerate(rules.items()):
            line = f"{subset if not place else '':<40}{rule:<36}{score.questions:>10}{score.reward:>8.3f}"
            line += f"{score.exact:>7.2f}{score.chance:>8.3f}{score.reward - score.chance:>+8.3f}"
            lines.append(line + ("  best" if not place else ""))
    return "\n".join(lines)


def write_earnings(found: Earnings, out: str | Path) -> None:
    """Writes JSON data into the file `out`."""
    data = {subset: {rule: asdict(score) for rule, score in rules.items()} for subset, rules in found.items()}
    write_whole(Path(out), json.dumps(data, indent=2) + "\n")
