"""Answers without looking. They are computed from a data set's own rows, and scored like a model's."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from reward_fns import reward_of
from reward_fns.commonest import commonest
from videossr_verl.rows.schema import Row
from videossr_verl.tasks import get_task

Answers = dict[int, str]

BEST_CONSTANT = "best constant"


def baselines(rows: Sequence[Row], seed: int = 0) -> dict[str, Answers]:
    """Returns baseline -> row's `extra_info.index` -> answer, for each task's own GUESSES and the best constant.

    A baseline answers the questions of those tasks that have it.

    Args:
        seed: of the guesses, of each baseline apart.
    """
    found: dict[str, Answers] = {}
    rngs: dict[str, np.random.Generator] = defaultdict(lambda: np.random.default_rng(seed))
    for row in rows:
        for name, guess in reward_of(_task(row)).GUESSES.items():
            answer = guess(_knobs(row), _seconds(row), rngs[name])
            found.setdefault(name, {})[row["extra_info"]["index"]] = answer
    return found | {BEST_CONSTANT: best_constant(rows)}


def best_constant(rows: Sequence[Row]) -> Answers:
    """Returns the one answer per subset that earns most on these very rows, as the task's reward module finds it."""
    by_subset: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_subset[row["data_source"]].append(row)
    return {index: text for subset in by_subset.values() for index, text in _constant(subset)}


def _constant(rows: Sequence[Row]) -> Iterable[tuple[int, str]]:
    truths = [row["reward_model"]["ground_truth"] for row in rows]
    own = getattr(reward_of(_task(rows[0])), "best_constant", None)
    texts = own(truths, [_seconds(row) for row in rows]) if own else [commonest(truths)] * len(rows)
    return zip((row["extra_info"]["index"] for row in rows), texts, strict=True)


def _knobs(row: Row) -> dict[str, Any]:
    """Returns the row's knobs, or the task's own defaults if it has none."""
    return asdict(get_task(_task(row)).Difficulty()) | json.loads(row["extra_info"].get("difficulty") or "{}")


def _seconds(row: Row) -> float:
    """Returns how long the first video is: from its first frame's start to its last one's end."""
    clock = row["videos"][0]["clock"]
    return clock[-1] + (clock[-1] - clock[0]) / (len(clock) - 1)


def _task(row: Row) -> str:
    return row["extra_info"]["task"]
