"""verl's custom reward function: `reward_fns.compute_score`, which also reports the rewards of drawn samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import reward_fns
from videossr_verl.rows.check import DATA_SOURCE_PREFIX

MAILBOX = "videossr_rewards_of_drawn_samples"


class Report(NamedTuple):
    """What one rollout of a drawn row earned: the number of the draw, its reward, and the chance of that."""

    draw: int
    reward: float
    chance: float


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Works as `reward_fns.compute_score`, and reports a row that has the number of its draw in `extra_info.draw`."""
    result = reward_fns.compute_score(data_source, solution_str, ground_truth, extra_info, **kwargs)
    draw = (extra_info or {}).get("draw")
    if draw is not None and data_source.startswith(DATA_SOURCE_PREFIX):  # in other rows the field may mean anything
        from videossr_verl.cluster.worker_reports import post

        post(MAILBOX, Report(int(draw), result["score"], result["chance"]))
    return result
