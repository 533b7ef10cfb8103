"""A worker that dies ends the run, with its name. verl 0.9.1 restarts none, and may wait for its answers for ever.

If an agent-loop worker is gone (its node left, or memory ran out), its groups stay "running" in verl's replay buffer.
So a thread beside the trainer watches the workers. If the trainer fails first, its error is often of another worker,
which lost its connection to the dead one.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError

from videossr_verl.errors import MachineError

logger = logging.getLogger(__name__)

PERIOD = 2.0  # seconds between two looks
LOST = 2  # a worker is lost if the network misses it in so many looks in a row, so that a short failure does no harm
NOTICE = 15.0  # seconds for which a failed trainer waits for their cause
GRACE = 30.0  # seconds for the trainer to end by its own error, and again to end by the one that we raise in it

UNUSED = "all references to the actor were removed"  # Ray gives this cause if nobody can be waiting for the actor


class DeadWorkerError(RuntimeError):
    """The error for a dead worker without which the run cannot go on."""


def wrap_fit(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes the trainer watch its workers while it trains."""

    def fit(self: Any, agent_loop_manager: Any) -> None:
        done, death = threading.Event(), Future()
        arguments = named_actors(), done, death, threading.get_ident()
        threading.Thread(target=_watch, args=arguments, daemon=True, name="dead workers").start()
        try:
            stock(self, agent_loop_manager)
        except (DeadWorkerError, MachineError):  # these errors say it all
            raise
        except Exception as error:
            with suppress(TimeoutError):
                raise DeadWorkerError(death.result(NOTICE)) from error
            raise
        finally:
            done.set()

    return fit


def named_actors() -> dict[str, Any]:
    """Returns the run's actors. verl gives names to all of its own."""
    actors = {}
    for name in ray.util.list_named_actors():
        with suppress(ValueError):  # it may have ended just now, as actors of another run on this cluster do
            actors[name] = ray.get_actor(name)
    return actors


def _watch(actors: Mapping[str, Any], done: threading.Event, death: Future[str], trainer: int) -> None:
    died = first_death(actors, done)
    if died is None:
        return
    reason = f"{died}; verl replaces no worker: the same command goes on from the last whole checkpoint"
    logger.error("DeadWorkerError: %s", reason)
    death.set_result(reason)
    if not done.wait(GRACE):
        _raise_in(trainer, reason)  # the trainer waits for what will never come
    if not done.wait(GRACE):
        os._exit(1)  # ends a process in which no Python code gets a turn


def _raise_in(thread: int, reason: str) -> None:
    class Died(DeadWorkerError):  # Python takes a class here, and makes the exception without arguments
        def __init__(self, said: str = reason) -> None:
            super().__init__(said)

    Died.__name__ = Died.__qualname__ = DeadWorkerError.__name__
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Died))


def first_death(actors: Mapping[str, Any], done: threading.Event) -> str | None:
    """Returns the name and cause of the first of `actors` that dies or stays out of reach, or None once `done` is set.

    A busy one is not dead.
    """
    asked: dict[ray.ObjectRef, str] = {}
    watched, unreached = set(actors), Counter()
    while not done.wait(PERIOD):
        for name in watched - set(asked.values()):
            asked[actors[name].__ray_ready__.remote()] = name
        answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0)
        for reference in answered:
            name = asked.pop(reference)
            try:
                ray.get(reference)
                unreached[name] = 0
            except ActorUnavailableError as error:
                unreached[name] += 1
                if unreached[name] == LOST:
                    return f"{name} is out of reach: {' '.join(str(error).split())[:500]}"
            except RayActorError as error:
                if UNUSED in str(error):
                    watched.remove(name)
                    continue
                return f"{name} died: {' '.join(str(error).split())[:500]}"
    return None
