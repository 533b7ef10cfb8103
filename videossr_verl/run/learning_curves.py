"""Shows what a run learned: held-out reward and exact rate per task, before and after, against chance and blind
control.

Reads the metrics that verl's `file` logger writes (`trainer.logger=[console,file]`, one JSON object a line).
verl starts that file anew when a run is resumed, so each start has a file of its own.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reward_fns import parts
from videossr_verl.errors import BadInput
from videossr_verl.files.whole_file import whole_file, write_whole
from videossr_verl.run.metrics_file import read_records

OURS = "videossr"  # what the data sources of pretext rows begin with
_TASK_WIDTH = 25
_SURFACE, _INK, _MUTED = "#ffffff", "#222222", "#888888"
_HUES = ("#3266ad", "#c2571a", "#3a7d44", "#7b4ea3", "#a33b57", "#4a7a8c")


@dataclass(frozen=True)
class TaskCurves:
    """Held-out figures of one task at each validated step. Every list is as long as `steps`.

    `parts` has those of the reward's parts that the task reports.
    """

    steps: list[int]
    score: list[float]
    acc: list[float]
    chance: float
    blind: list[float]
    parts: dict[str, list[float]] = field(default_factory=dict)

    def lead(self, at: int) -> float:
        """Returns the lead over the blind control at index `at` of the validated steps."""
        return self.score[at] - self.blind[at]


def read_curves(run: Path, data_set: str = OURS) -> dict[str, TaskCurves]:
    """Returns for each task the validation figures in `run`/metrics/*.jsonl: one file for each start of the run, in
    order.

    Raises BadInput if there is none of the data set. Leaves out a last line that a kill cut off.

    Args:
        data_set: of the rows whose data sources are "data_set/TASK" and "data_set/TASK/blind", and whose reward reports
            acc and chance.
    """
    try:
        records = [record for file in sorted((run / "metrics").glob("*.jsonl")) for record in read_records(file)[0]]
        values = _validations(records, data_set)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(
            f"'{run}/metrics' holds no metrics of verl's file logger: {type(error).__name__}: {error}"
        ) from error
    if not records:
        raise BadInput(
            f"no metrics in '{run}/metrics': train with trainer.logger=[console,file] and VERL_FILE_LOGGER_PATH there"
        )
    if not values:
        what = "a pretext task" if data_set == OURS else f"rows of '{data_set}'"
        raise BadInput(f"'{run}' holds no validation of {what}: set trainer.test_freq and data.val_files")
    curves = {}
    for task, found in sorted(values.items()):
        steps = sorted(found["score", False])
        blind = found["score", True]
        curves[task] = TaskCurves(
            steps=steps,
            score=[found["score", False][s] for s in steps],
            acc=[found["acc", False][s] for s in steps],
            chance=found["chance", False][steps[0]],
            blind=[blind[s] for s in steps if s in blind],
            parts={part: [found[part, False][s] for s in steps] for part in parts() if found[part, False]},
        )
    return curves


def _validations(
    records: Iterable[Mapping[str, Any]], data_set: str
) -> dict[str, dict[tuple[str, bool], dict[int, float]]]:
    """Returns task -> (kind, whether it is the blind control's) -> step -> value."""
    figure = re.compile(rf"val-(?:core|aux)/{re.escape(data_set)}/(\w+)(/blind)?/(\w+)/mean@\d+")
    values: dict[str, dict[tuple[str, bool], dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        for name, value in record["data"].items():
            if match := figure.fullmatch(name):
                task, blind, kind = match.groups()
                values[task][kind, bool(blind)][int(record["step"])] = float(value)
    return values


def mean_figures(curves: dict[str, TaskCurves], at: int) -> dict[str, float]:
    """Returns plain means over the tasks at index `at` of the validated steps: score, blind, lead (score - blind),
    chance.
    """
    count = len(curves)
    score = sum(c.score[at] for c in curves.values()) / count
    figures = {"score": score, "chance": sum(c.chance for c in curves.values()) / count}
    if all(c.blind for c in curves.values()):
        figures["blind"] = sum(c.blind[at] for c in curves.values()) / count
        figures["lead"] = score - figures["blind"]
    return figures


def summary(curves: dict[str, TaskCurves]) -> str:
    """Returns a table of one screen: per task reward and exact rate before and after, chance, blind control."""
    first = next(iter(curves.values()))
    lines = [
        f"held-out samples, step {first.steps[0]} -> {first.steps[-1]}",
        f"{'task':<{_TASK_WIDTH}}{'reward':>16}{'exact':>16}{'chance':>9}{'blind control':>18}",
    ]
    for task, c in curves.items():
        blind = f"{c.blind[0]:.3f} -> {c.blind[-1]:.3f}" if c.blind else "-"
        lines.append(f"{task:<{_TASK_WIDTH}}{_change(c.score)}{_change(c.acc)}{c.chance:>9.3f}{blind:>18}")
        lines += [f"{f'  {part}':<{_TASK_WIDTH}}{_change(values)}" for part, values in c.parts.items()]
    before, after = mean_figures(curves, 0), mean_figures(curves, -1)
    lines.append(
        f"{'mean reward':<{_TASK_WIDTH}}{before['score']:.3f} -> {after['score']:.3f}, chance {after['chance']:.3f}"
    )
    if "lead" in after:
        lines.append(f"{'lead over blind':<{_TASK_WIDTH}}{before['lead']:+.3f} -> {after['lead']:+.3f}")
    lines.append("chance: best answer without looking. blind control: same questions, another sample's video.")
    return "\n".join(lines)


def _change(values: list[float]) -> str:
    return f"{f'{values[0]:.3f} -> {values[-1]:.3f}':>16}"


def write_report(run: str | Path) -> str:
    """Draws RUN/curves.png, writes RUN/summary.txt and returns its text."""
    run = Path(run)
    curves = read_curves(run)
    draw_curves([curves], run / "curves.png")
    text = f"{summary(curves)}\ncurves: {run / 'curves.png'}"
    write_whole(run / "summary.txt", text + "\n")
    return text


def compare_seeds(runs: Sequence[str | Path], picture: str | Path | None = None) -> str:
    """Returns a Markdown table of runs that differ in their seed, before and after, up to the last step that all
    validated.

    Per task the reward and its lead over the blind control, then the means of both. `gain` is the mean of
    after - before; `spread` is the range (largest - smallest) of after over the seeds; the last column is how often
    the spread goes into the gain. With `picture`, all curves are drawn into that file.
    """
    all_curves = [read_curves(Path(run)) for run in runs]
    if len({tuple(curves) for curves in all_curves}) > 1:
        raise BadInput(f"the runs were validated on different tasks: {[sorted(curves) for curves in all_curves]}")
    shared = set.intersection(*(set(c.steps) for curves in all_curves for c in curves.values()))
    if len(shared) < 2:
        raise BadInput("the runs share fewer than two validated steps: train them with the same trainer.test_freq")
    cut = [{task: _up_to(c, max(shared)) for task, c in curves.items()} for curves in all_curves]
    rows: dict[str, list[tuple[float, float]]] = {}
    for task in cut[0]:
        rows[f"reward, {task.replace('_', ' ')}"] = [(c[task].score[0], c[task].score[-1]) for c in cut]
        if all(c[task].blind for c in cut):
            rows[f"lead, {task.replace('_', ' ')}"] = [(c[task].lead(0), c[task].lead(-1)) for c in cut]
    means = [(mean_figures(curves, 0), mean_figures(curves, -1)) for curves in cut]
    for name, label in (("score", "**held-out mean reward**"), ("lead", "**lead over the blind control**")):
        if all(name in after for _, after in means):
            rows[label] = [(before[name], after[name]) for before, after in means]
    if picture:
        draw_curves(cut, Path(picture))
    head = f"| figure | start | after {max(shared)} steps, each seed | mean gain | spread over seeds | gain / spread |"
    return "\n".join([head, "| --- | --- | --- | --- | --- | --- |", *(_row(*row) for row in rows.items())])


def _up_to(c: TaskCurves, step: int) -> TaskCurves:
    stop = c.steps.index(step) + 1
    parts = {part: values[:stop] for part, values in c.parts.items()}
    return TaskCurves(c.steps[:stop], c.score[:stop], c.acc[:stop], c.chance, c.blind[:stop], parts)


def _row(label: str, pairs: list[tuple[float, float]]) -> str:
    before, after = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    last = [value for _, value in pairs]
    each, gain, spread = ", ".join(f"{value:.3f}" for value in last), after - before, max(last) - min(last)
    times = f"{gain / spread:.1f}" if spread else "-"
    return f"| {label} | {before:.3f} | {each} | {gain:+.3f} | {spread:.3f} | {times} |"


def draw_curves(runs: Sequence[dict[str, TaskCurves]], out: Path) -> None:
    """Draws one panel per figure (reward, exact rate), with a line per task and run; chance is dotted, the blind
    control dashed.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (reward, exact) = plt.subplots(1, 2, figsize=(10, 4), facecolor=_SURFACE, layout="constrained")
    for hue, task in zip(itertools.cycle(_HUES), runs[0]):
        reward.axhline(runs[0][task].chance, color=hue, linestyle=":", linewidth=1)
        for i, c in enumerate(run[task] for run in runs):
            line = {"color": hue, "marker": "o", "markersize": 4, "label": None if i else task.replace("_", " ")}
            reward.plot(c.steps, c.score, **line)
            exact.plot(c.steps, c.acc, **line)
            if c.blind:
                reward.plot(c.steps[: len(c.blind)], c.blind, color=hue, linestyle="--", linewidth=1, alpha=0.7)
    reward.set_title("held-out reward  (dashed: blind control, dotted: chance)", color=_INK, fontsize=10)
    exact.set_title("held-out exact answers", color=_INK, fontsize=10)
    for axis in (reward, exact):
        axis.set_xlabel("GRPO step", color=_MUTED)
        axis.set_ylim(0, 1)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.25)
    exact.legend(frameon=False)
    with whole_file(out) as partial:
        figure.savefig(partial, dpi=120, format="png")
    plt.close(figure)
