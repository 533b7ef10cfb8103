"""A worker that dies ends the run, with its name: verl 0.9.1 restarts none, and may wait for its answers for ever.

Groups of an agent-loop worker that is gone (its node left, or memory ran out) stay "running" in verl's replay buffer.
Workers are watched from a thread beside the trainer.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayActorError

logger = logging.getLogger(__name__)

PERIOD = 5.0  # seconds between two looks
GRACE = 60.0  # seconds for the trainer to end by an error of its own


def watching(stock: Callable[..., None]) -> Callable[..., None]:
    """Of the trainer's `fit`."""

    def fit(self: Any, agent_loop_manager: Any) -> None:
        done = threading.Event()
        threading.Thread(target=_watch, args=(named_actors(), done), daemon=True, name="dead workers").start()
        try:
            stock(self, agent_loop_manager)
        finally:
            done.set()

    return fit


def named_actors() -> dict[str, Any]:
    """The run's actors; verl gives all of its own names."""
    actors = {}
    for name in ray.util.list_named_actors():
        with suppress(ValueError):  # it ended just now, as those of another run on this cluster may
            actors[name] = ray.get_actor(name)
    return actors


def _watch(actors: Mapping[str, Any], done: threading.Event) -> None:
    died = first_death(actors, done)
    if died is None:
        return
    logger.error(
        "DeadWorkerError: %s. verl cannot replace a worker, so the run ends; the same command goes on from the last"
        " whole checkpoint",
        died,
    )
    if not done.wait(GRACE):
        os._exit(1)  # the trainer waits for what will never come


def first_death(actors: Mapping[str, Any], done: threading.Event) -> str | None:
    """Name and cause of the first of `actors` that dies; None once `done` is set. A busy one is not dead."""
    asked: dict[ray.ObjectRef, str] = {}
    while not done.wait(PERIOD):
        for name in set(actors) - set(asked.values()):
            asked[actors[name].__ray_ready__.remote()] = name
        answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0)
        for reference in answered:
            name = asked.pop(reference)
            try:
                ray.get(reference)
            except RayActorError as error:
                return f"{name} died: {' '.join(str(error).split())[:500]}"
    return None
