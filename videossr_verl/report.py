"""What a run learned: held-out reward and exact rate per task, before and after, against chance and blind control.

Reads the metrics that verl's `file` logger writes (`trainer.logger=[console,file]`, one JSON object a line).
verl starts that file anew when a run is resumed, so each start has a file of its own.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videossr_verl.errors import BadInput

_VALIDATION = re.compile(r"val-(?:core|aux)/videossr/(\w+)(/blind)?/(score|acc|chance)/mean@\d+")
_SURFACE, _INK, _MUTED = "#ffffff", "#222222", "#888888"
_HUES = ("#3266ad", "#c2571a", "#3a7d44", "#7b4ea3", "#a33b57", "#4a7a8c")


@dataclass(frozen=True)
class TaskCurves:
    """Held-out figures of one task at each validated step; every list is as long as `steps`."""

    steps: list[int]
    score: list[float]
    acc: list[float]
    chance: float
    blind: list[float]


def read_curves(run: Path) -> dict[str, TaskCurves]:
    """Per task, the validation figures in `run`/metrics/*.jsonl: one file for each start of the run, in order.

    BadInput if there is none of ours. A last line cut off by a kill is left out.
    """
    lines = [line for file in sorted((run / "metrics").glob("*.jsonl")) for line in file.read_text().split("\n")[:-1]]
    if not lines:
        raise BadInput(
            f"no metrics in '{run}/metrics': train with trainer.logger=[console,file] and VERL_FILE_LOGGER_PATH there"
        )
    values: dict[str, dict[tuple[str, bool], dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for record in map(json.loads, lines):
        for name, value in record["data"].items():
            if match := _VALIDATION.fullmatch(name):
                task, blind, kind = match.groups()
                values[task][kind, bool(blind)][record["step"]] = value
    if not values:
        raise BadInput(f"'{run}' holds no validation of a pretext task: set trainer.test_freq and data.val_files")
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
        )
    return curves


def mean_figures(curves: dict[str, TaskCurves], at: int) -> dict[str, float]:
    """Plain means over the tasks at index `at` of the validated steps: score, blind, lead (score - blind), chance."""
    count = len(curves)
    score = sum(c.score[at] for c in curves.values()) / count
    figures = {"score": score, "chance": sum(c.chance for c in curves.values()) / count}
    if all(c.blind for c in curves.values()):
        figures["blind"] = sum(c.blind[at] for c in curves.values()) / count
        figures["lead"] = score - figures["blind"]
    return figures


def summary(curves: dict[str, TaskCurves]) -> str:
    """A table of one screen: per task reward and exact rate before and after, chance, blind control."""
    first = next(iter(curves.values()))
    lines = [
        f"held-out samples, step {first.steps[0]} -> {first.steps[-1]}",
        f"{'task':<20}{'reward':>16}{'exact':>16}{'chance':>9}{'blind control':>18}",
    ]
    for task, c in curves.items():
        blind = f"{c.blind[0]:.3f} -> {c.blind[-1]:.3f}" if c.blind else "-"
        lines.append(
            f"{task:<20}{f'{c.score[0]:.3f} -> {c.score[-1]:.3f}':>16}{f'{c.acc[0]:.3f} -> {c.acc[-1]:.3f}':>16}"
            f"{c.chance:>9.3f}{blind:>18}"
        )
    before, after = mean_figures(curves, 0), mean_figures(curves, -1)
    lines.append(f"{'mean reward':<20}{before['score']:.3f} -> {after['score']:.3f}, chance {after['chance']:.3f}")
    if "lead" in after:
        lines.append(f"{'lead over blind':<20}{before['lead']:+.3f} -> {after['lead']:+.3f}")
    lines.append("chance: best answer without looking. blind control: same questions, another sample's video.")
    return "\n".join(lines)


def write_report(run: str | Path) -> str:
    """Draws RUN/curves.png, writes RUN/summary.txt and returns its text."""
    run = Path(run)
    curves = read_curves(run)
    draw_curves(curves, run / "curves.png")
    text = f"{summary(curves)}\ncurves: {run / 'curves.png'}"
    (run / "summary.txt").write_text(text + "\n")
    return text


def compare_seeds(runs: Sequence[str | Path]) -> str:
    """A Markdown table of several runs that differ in their seed: mean reward and lead, before, after, spread.

    `gain` is after - before; `spread` is the range (largest - smallest) over the seeds.
    """
    rows = []
    for run in runs:
        curves = read_curves(Path(run))
        rows.append((mean_figures(curves, 0), mean_figures(curves, -1)))
    lines = [
        "| figure | before | after, each seed | mean gain | spread over seeds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, label in (("score", "held-out mean reward"), ("lead", "lead over the blind control")):
        if not all(name in after for _, after in rows):
            continue
        before = [first[name] for first, _ in rows]
        after = [last[name] for _, last in rows]
        gain = sum(after) / len(after) - sum(before) / len(before)
        each = ", ".join(f"{value:.3f}" for value in after)
        lines.append(
            f"| {label} | {sum(before) / len(before):.3f} | {each} | {gain:+.3f} | {max(after) - min(after):.3f} |"
        )
    return "\n".join(lines)


def draw_curves(curves: dict[str, TaskCurves], out: Path) -> None:
    """One panel per figure (reward, exact rate), one line per task; chance dotted, blind control dashed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (reward, exact) = plt.subplots(1, 2, figsize=(10, 4), facecolor=_SURFACE, layout="constrained")
    for hue, (task, c) in zip(_HUES, curves.items(), strict=False):
        label = task.replace("_", " ")
        reward.plot(c.steps, c.score, color=hue, marker="o", markersize=4, label=label)
        reward.axhline(c.chance, color=hue, linestyle=":", linewidth=1)
        if c.blind:
            reward.plot(c.steps[: len(c.blind)], c.blind, color=hue, linestyle="--", linewidth=1, alpha=0.7)
        exact.plot(c.steps, c.acc, color=hue, marker="o", markersize=4, label=label)
    reward.set_title("held-out reward  (dashed: blind control, dotted: chance)", color=_INK, fontsize=10)
    exact.set_title("held-out exact answers", color=_INK, fontsize=10)
    for axis in (reward, exact):
        axis.set_xlabel("GRPO step", color=_MUTED)
        axis.set_ylim(0, 1)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.25)
    exact.legend(frameon=False)
    partial = out.with_name(f".{out.name}.partial")
    figure.savefig(partial, dpi=120, format="png")
    plt.close(figure)
    partial.replace(out)
