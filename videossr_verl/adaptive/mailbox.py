"""Rewards on their way from the reward workers, wherever they run, to the data set in the trainer's process.

One small named Ray actor. A report is in the box when `post` returns, and verl trains only after the rewards are
there, so the next batch is drawn with all rewards of the one before.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import ray

NAME = "videossr_rewards_of_drawn_samples"

Report = tuple[int, float, float]  # number of the draw, reward, chance


class _Mailbox:
    def __init__(self) -> None:
        self._reports: list[Report] = []

    def post(self, report: Report) -> None:
        self._reports.append(report)

    def take(self) -> list[Report]:
        taken, self._reports = self._reports, []
        return taken


def open_mailbox() -> Any:
    """The actor's handle; it lives as long as one of those who opened it. Ray must be running."""
    return ray.remote(_Mailbox).options(name=NAME, get_if_exists=True, num_cpus=0).remote()


def post(report: Report) -> None:
    """Reports a reward; returns when the box has it."""
    ray.get(_box().post.remote(report))


@cache
def _box() -> Any:
    return ray.get_actor(NAME)
