"""Carries reports from workers, wherever they run, to the trainer's process. A small named Ray actor is a box.

A report is in the box when `post` returns. verl trains only after the rollouts and rewards are there, so the trainer
finds all their reports in the box.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import ray


class _Mailbox:
    def __init__(self) -> None:
        self._reports: list[Any] = []

    def post(self, report: Any) -> None:
        self._reports.append(report)

    def take(self) -> list[Any]:
        taken, self._reports = self._reports, []
        return taken


def open_mailbox(name: str) -> Any:
    """Returns the actor's handle. The actor lives as long as one of those who opened it. Ray must be running."""
    return ray.remote(_Mailbox).options(name=name, get_if_exists=True, num_cpus=0).remote()


def post(name: str, report: Any) -> None:
    """Puts a report in a box that somebody has opened, and returns when it is in."""
    ray.get(_box(name).post.remote(report))


@cache
def _box(name: str) -> Any:
    return ray.get_actor(name)
