"""What can be had on a benchmark without looking: answers to be scored like a model's, computed from its own rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from string import ascii_uppercase
from typing import Any

import numpy as np

from videossr_verl.tasks import get_task

Rows = Sequence[Mapping[str, Any]]
_GRID = 48  # steps in which the best constant interval is looked for


def uniform_guess(rows: Rows, seed: int = 0) -> dict[int, str]:
    """Every answer of the right form as likely as any other.

    Counts: each shape's uniform over its possible numbers. Intervals: two uniform times, in order. Orders: a random
    permutation. Gaps: random different labels.
    """
    rng = np.random.default_rng(seed)
    return {row["extra_info"]["index"]: _guess(row, rng) for row in rows}


def whole_video(rows: Rows) -> dict[int, str]:
    """The whole clip as the answer to each grounding question; no answer to others."""
    return {row["extra_info"]["index"]: f"0-{_duration(row):.3f}" for row in rows if _task(row) == "anomaly_grounding"}


def best_constant(rows: Rows) -> dict[int, str]:
    """The one answer per subset that earns most on these very rows; intervals as shares of the clip."""
    by_subset: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_subset.setdefault(row["data_source"], []).append(row)
    return {index: text for subset in by_subset.values() for index, text in _constant(subset)}


def _guess(row: Mapping[str, Any], rng: np.random.Generator) -> str:
    knobs, task = _knobs(row), _task(row)
    if task == "object_counting":
        low, high = knobs["min_frames"] * knobs["min_instances"], knobs["max_frames"] * knobs["max_instances"]
        return ",".join(map(str, rng.integers(low, high + 1, 3)))
    if task == "anomaly_grounding":
        start, end = np.sort(rng.uniform(0, _duration(row), 2))
        return f"{start:.3f}-{end:.3f}"
    if task == "temporal_jigsaw":
        return "".join(str(i + 1) for i in rng.permutation(knobs["num_clips"]))
    if task == "masked_video_prediction":
        pool = ascii_uppercase[: knobs["num_masked"] + knobs["num_distractors"]]
        return "".join(pool[i] for i in rng.permutation(len(pool))[: knobs["num_masked"]])
    raise ValueError(f"no uniform guess is known for task '{task}'")


def _knobs(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row's knobs, with the task's own defaults where it has none."""
    return asdict(get_task(_task(row)).Difficulty()) | json.loads(row["extra_info"].get("difficulty") or "{}")


def _constant(rows: Rows) -> Iterable[tuple[int, str]]:
    truths = [row["reward_model"]["ground_truth"] for row in rows]
    if _task(rows[0]) == "anomaly_grounding":
        durations = np.array([_duration(row) for row in rows])
        start, end = _best_interval(np.array([list(map(float, t.split("-"))) for t in truths]) / durations[:, None])
        texts = [f"{start * d:.3f}-{end * d:.3f}" for d in durations]
    elif _task(rows[0]) == "object_counting":
        texts = [",".join(_commonest(t.split(",")[shape] for t in truths) for shape in range(3))] * len(rows)
    else:
        texts = [_commonest(truths)] * len(rows)
    return zip((row["extra_info"]["index"] for row in rows), texts, strict=True)


def _best_interval(shares: np.ndarray) -> tuple[float, float]:
    """The interval on a grid of 1/48 of the clip with the largest mean IoU; `shares` (N, 2)."""
    starts, ends = shares[:, 0], shares[:, 1]
    best = (-1.0, 0.0, 1.0)
    for first in range(_GRID):
        for last in range(first + 1, _GRID + 1):
            a, b = first / _GRID, last / _GRID
            inside = np.maximum(0, np.minimum(b, ends) - np.maximum(a, starts))
            best = max(best, (float(np.mean(inside / ((b - a) + (ends - starts) - inside))), a, b))
    return best[1], best[2]


def _commonest(values: Iterable[str]) -> str:
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _duration(row: Mapping[str, Any]) -> float:
    """Seconds from the first shown frame's start to the last one's end."""
    clock = row["videos"][0]["clock"]
    return clock[-1] + (clock[-1] - clock[0]) / (len(clock) - 1)


def _task(row: Mapping[str, Any]) -> str:
    return row["extra_info"]["task"]


BASELINES: dict[str, Callable[[Rows], dict[int, str]]] = {
    "uniform guess": uniform_guess,
    "best constant": best_constant,
    "whole video": whole_video,
}
