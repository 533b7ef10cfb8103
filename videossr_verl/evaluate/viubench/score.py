"""VIUBench's figures (VideoSSR, arXiv 2511.06281, section 3 and A.3), exactly as published, in percent.

    grounding   mean IoU of the two intervals (mIoU)
    counting    share of the three numbers that are exactly right
    jigsaw      share of orders that are wholly right
    Overall     plain mean of the 9 columns
An answer that cannot be read, or is missing, counts 0 and stays in the denominator; the rates of both are told. A
question's figure is its task's `metric` (`reward_fns`), never the reward that training pays. If a benchmark has masked
video prediction, it is reported apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reward_fns import compute_metric
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.bootstrap import bootstrap
from videossr_verl.rows.schema import Row

# Subset of the dataset (presets/viubench.yaml) -> column of the paper's table.
COLUMNS = {
    "counting_easy": "CntE",
    "counting_hard": "CntH",
    "grounding_channel_swap": "Chan",
    "grounding_rotate_180": "Rot",
    "grounding_zoom_out": "ZoomOut",
    "grounding_mirror": "Mirror",
    "grounding_shuffle": "Shuf",
    "jigsaw_6": "JigE",
    "jigsaw_8": "JigH",
}
GROUPS = {"Cnt": ("CntE", "CntH"), "Grd": ("Chan", "Rot", "ZoomOut", "Mirror", "Shuf"), "Jig": ("JigE", "JigH")}


@dataclass(frozen=True)
class Column:
    """One subset's figures.

    Attributes:
        subset, name: in the dataset, and in the paper's table.
        value: 0 to 100.
        low, high: bootstrap interval of 95 %, resampling videos.
        samples: how many questions.
        unread, missing: shares of them whose answer could not be read, and that have none.
    """

    subset: str
    name: str
    value: float
    low: float
    high: float
    samples: int
    unread: float
    missing: float


def figure_of(row: Row, answer: str | None) -> tuple[float, bool]:
    """Returns what an answer (None: missing) earns by the task's published metric, 0 to 1, and whether it could be
    read.
    """
    if answer is None:
        return 0.0, False
    return compute_metric(row["data_source"], answer, row["reward_model"]["ground_truth"], row["extra_info"])


@dataclass(frozen=True)
class Graded:
    """One question's outcome: its video, what it earned (0 to 1), whether its answer was read, whether it has one."""

    video: str
    value: float
    was_read: bool
    missing: bool


def grade(row: Row, answer: str | None) -> tuple[str, Graded]:
    """Returns (subset, outcome) of a row. An answer of None is a missing one."""
    value, was_read = figure_of(row, answer)
    return row["data_source"].split("/")[-1], Graded(row["extra_info"]["video_id"], value, was_read, answer is None)


def score(rows: Iterable[Row], answers: Mapping[int, str], seed: int = 0) -> list[Column]:
    """Returns the columns of a benchmark's rows.

    Args:
        answers: completion by the row's `extra_info.index`.
        seed: of the bootstrap.

    Raises:
        BadInput: an answer is for no row.
    """
    rows = list(rows)
    unknown = sorted(set(answers) - {row["extra_info"]["index"] for row in rows})
    if unknown:
        raise BadInput(f"{len(unknown)} answers are for no question of the benchmark, first id {unknown[0]}")
    return columns((grade(row, answers.get(row["extra_info"]["index"])) for row in rows), seed)


def columns(graded: Iterable[tuple[str, Graded]], seed: int = 0) -> list[Column]:
    """Returns a column for each subset: the paper's in its order, then the others."""
    found: dict[str, list[Graded]] = {}
    for subset, outcome in graded:
        found.setdefault(subset, []).append(outcome)
    order = [*(s for s in COLUMNS if s in found), *sorted(s for s in found if s not in COLUMNS)]
    return [_column(subset, found[subset], seed) for subset in order]


def _column(subset: str, graded: Sequence[Graded], seed: int) -> Column:
    values = [outcome.value for outcome in graded]
    low, high = bootstrap([outcome.video for outcome in graded], values, seed)
    gone = float(np.mean([outcome.missing for outcome in graded]))
    return Column(
        subset=subset,
        name=COLUMNS.get(subset, subset),
        value=100 * float(np.mean(values)),
        low=100 * low,
        high=100 * high,
        samples=len(values),
        unread=1 - float(np.mean([outcome.was_read for outcome in graded])) - gone,
        missing=gone,
    )


def overall(columns: Sequence[Column]) -> dict[str, float]:
    """Returns the paper's group means and `All`, the plain mean of the 9 columns. Leaves out those that lack a
    column.
    """
    values = {column.name: column.value for column in columns if column.subset in COLUMNS}
    means = {
        group: float(np.mean([values[n] for n in names]))
        for group, names in GROUPS.items()
        if all(n in values for n in names)
    }
    if len(values) == len(COLUMNS):
        means["All"] = float(np.mean(list(values.values())))
    return means
