"""Shows what the transfer experiment found, as Markdown tables.

They tell what is earned on each kind of question, how much more that is than on its blind control, and how many answers
are exactly right: at the start, after steps on pretext tasks, and after as many on the questions.

    python recipes/transfer/table.py runs/transfer
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from videossr_verl.endings import end_well
from videossr_verl.errors import BadInput
from videossr_verl.files.whole_file import write_whole
from videossr_verl.run.learning_curves import TaskCurves, read_curves
from videossr_verl.tiny.questions import DATA_SET

ARMS = ("pretext", "questions")
LEAD = "lead over the blind control"
MEASURES: dict[str, Callable[[TaskCurves, int], float]] = {
    "reward": lambda curve, at: curve.score[at],
    LEAD: lambda curve, at: curve.lead(at),
    "exact": lambda curve, at: curve.acc[at],
}


class Run(NamedTuple):
    """The curves of a run: on each kind of question, and on each pretext task."""

    questions: dict[str, TaskCurves]
    pretext: dict[str, TaskCurves]


def read_runs(folder: Path) -> dict[str, list[Run]]:
    """Returns the runs of each arm, in the order of their seeds.

    Raises BadInput if an arm lacks a seed that the other has, or if the runs end with different steps.
    """
    found = {arm: sorted(folder.glob(f"{arm}-seed*")) for arm in ARMS}
    seeds = [[path.name.partition("-")[2] for path in paths] for paths in found.values()]
    if not seeds[0] or seeds[0] != seeds[1]:
        raise BadInput(f"'{folder}' lacks runs: it has {seeds[0]} on pretext tasks and {seeds[1]} on the questions")
    runs = {arm: [Run(read_curves(path, DATA_SET), read_curves(path)) for path in found[arm]] for arm in ARMS}
    ends = {curve.steps[-1] for of_arm in runs.values() for run in of_arm for curve in run.questions.values()}
    if len(ends) > 1:
        raise BadInput(f"the runs in '{folder}' end at the steps {sorted(ends)}: let all go on to the last")
    return runs


def show(runs: dict[str, list[Run]]) -> str:
    """Returns a table for each of `MEASURES`. The start is step 0 of all runs; each seed's value follows the mean."""
    first = runs["pretext"][0]
    steps, chance = next(iter(first.questions.values())).steps[-1], {k: c.chance for k, c in first.questions.items()}
    chance["mean"] = fmean(chance.values())
    text = [f"{len(runs['pretext'])} seeds, {steps} steps"]
    for measure in MEASURES:
        arms = {arm: [_figures(run, measure) for run in of_arm] for arm, of_arm in runs.items()}
        lines = [f"| {measure} | chance | start | after pretext tasks | after the questions |", "|" + " --- |" * 5]
        for name in arms["pretext"][0]:
            start = fmean(figures[name][0] for of_arm in arms.values() for figures in of_arm)
            ends = [_seeds([figures[name][1] for figures in arms[arm]]) for arm in ARMS]
            expected = f"{chance[name]:.3f}" if measure == "reward" and name in chance else ""
            lines.append(f"| {name.replace('_', ' ')} | {expected} | {start:.3f} | {' | '.join(ends)} |")
        text.append("\n".join(lines))
    return "\n\n".join(text)


def _figures(run: Run, measure: str) -> dict[str, tuple[float, float]]:
    """Returns a measure before and after: of each kind of question, their mean, and the mean of the pretext tasks.

    No run validates a blind control of the pretext tasks, so they have no lead.
    """
    of_curve = MEASURES[measure]
    kinds = {kind: (of_curve(curve, 0), of_curve(curve, -1)) for kind, curve in run.questions.items()}
    found = {**kinds, "mean": _means(list(kinds.values()))}
    if measure != LEAD:
        tasks = [(of_curve(curve, 0), of_curve(curve, -1)) for curve in run.pretext.values()]
        found["pretext tasks, mean"] = _means(tasks)
    return found


def _means(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return fmean(before for before, _ in pairs), fmean(after for _, after in pairs)


def _seeds(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f} ({', '.join(f'{value:.3f}' for value in values)})"


def main() -> None:
    """Runs the command line. Writes RUN/table.md as well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of recipes/transfer/run.sh")
    folder = parser.parse_args().run
    text = show(read_runs(folder))
    write_whole(folder / "table.md", text + "\n")
    print(text)


if __name__ == "__main__":
    sys.exit(end_well(main))
