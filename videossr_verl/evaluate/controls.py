"""What a data set's tasks are worth: beside what a model earns stands what can be earned without seeing.

A task is as good as its cheapest attack is bad. Per subset: chance, the best constant answer, the best rule without
learning, and a model on the real rows and on the controls of `rows.controls`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from videossr_verl.evaluate.attacks.earnings import Earnings
from videossr_verl.evaluate.baselines import best_constant
from videossr_verl.evaluate.questions import first_of_each_subset
from videossr_verl.evaluate.scores import SubsetScore, score_rows
from videossr_verl.rows.controls import CONTROLS
from videossr_verl.rows.schema import Row

REAL = "real"  # the rows as they are
MODEL_COLUMNS = (REAL, *CONTROLS)


@dataclass(frozen=True)
class SubsetControls:
    """The figures of a subset.

    Attributes:
        constant: of the one answer that earns most on these very rows.
        rule, attack: name and figures of the rule that earns most, None where the task has no rules.
        model: what the model earns on the real rows and on each control, by MODEL_COLUMNS; empty without a model.
    """

    subset: str
    constant: SubsetScore
    rule: str | None
    attack: SubsetScore | None
    model: Mapping[str, SubsetScore] = field(default_factory=dict)


def with_controls(rows: Sequence[Row], limit: int | None) -> list[Row]:
    """Returns the first `limit` rows of each subset (None: all) and their controls. Each has an index of its own.

    A blind row may show a video of any of `rows`. Raises BadInput if a row can have no blind control.
    """
    asked = [rows, *(control(rows) for control in CONTROLS.values())]
    chosen = [row for of_kind in asked for row in first_of_each_subset(of_kind, limit)]
    return [_with_index(row, index) for index, row in enumerate(chosen)]


def compare(rows: Sequence[Row], attacks: Earnings, answered: Sequence[SubsetScore]) -> list[SubsetControls]:
    """Returns the figures of each subset, by name.

    Args:
        rows: the real ones.
        attacks: of `attacks.earnings`, on these rows.
        answered: what a model earns on `with_controls` of them; may be empty.
    """
    by_name = {score.subset: score for score in answered}
    found = []
    for constant in score_rows(rows, best_constant(rows)):
        rule, attack = next(iter(attacks.get(constant.subset, {}).items()), (None, None))
        names = {REAL: constant.subset} | {control: f"{constant.subset}/{control}" for control in CONTROLS}
        model = {kind: by_name[name] for kind, name in names.items() if name in by_name}
        found.append(SubsetControls(constant.subset, constant, rule, attack, model))
    return found


def as_markdown(found: Sequence[SubsetControls], model: str | None) -> str:
    """Returns a table with a line for each subset. `model` is the model's name, None without one."""
    columns = ["subset", "questions", "chance", "best constant", "best rule without learning"]
    columns += [kind.replace("_", " ") for kind in MODEL_COLUMNS] if model else []
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    lines += [f"| {' | '.join(_cells(one))} |" for one in found]
    if model:
        lines.append(f"\nreal to {columns[-1]}: reward of {model}, and its 95 % interval over resampled videos")
    else:
        lines.append("\nwithout --model: what a model earns, and what it earns on the controls, is not measured")
    return "\n".join(lines)


def as_data(found: Sequence[SubsetControls], model: str | None) -> dict[str, Any]:
    """Returns JSON data."""
    return {"model": model, "subsets": [asdict(one) for one in found]}


def _cells(one: SubsetControls) -> Iterator[str]:
    yield from (one.subset, str(one.constant.questions), f"{one.constant.chance:.3f}", f"{one.constant.reward:.3f}")
    yield f"{one.attack.reward:.3f} {one.rule}" if one.attack else "none is installed"
    for score in one.model.values():
        yield f"{score.reward:.3f} ({score.low:.2f} to {score.high:.2f})"


def _with_index(row: Row, index: int) -> Row:
    return {**row, "extra_info": {**row["extra_info"], "index": index}}
