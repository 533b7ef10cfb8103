"""A group that does not end is lost after `data.group_deadline` seconds. Until then the run tells what it waits for.

verl 0.9.1 waits for each rollout without end, so the whole run waits for one that hangs (a request that the server
forgot, a tool that never answers). The deadline counts from when verl hands the group out, so it includes the time that
the group waits behind others of its batch. A rollout may keep its worker from doing anything else, even from heeding
the deadline; the trainer notices that.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from videossr_verl.errors import BadInput
from videossr_verl.patches.survival.lost_groups import media_of
from videossr_verl.patches.survival.open_groups import GroupDeadlineError, OpenGroups

logger = logging.getLogger(__name__)

DEADLINE = 3600.0  # seconds, where `data.group_deadline` is not set
CANCEL = 10.0  # seconds for a rollout to end after it was cancelled


def group_deadline(data: Mapping[str, Any]) -> float:
    """Returns `data.group_deadline` in seconds, infinite if it is null. Raises BadInput if it is no number above 0."""
    seconds = data.get("group_deadline", DEADLINE)
    if seconds is None:
        return math.inf
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise BadInput(f"data.group_deadline is {seconds}, must be a number of seconds above 0, or null for none")
    return float(seconds)


def wrap_run_agent_loop(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a rollout worker's `_run_agent_loop` fail after the deadline, whatever the rollout does then."""

    async def _run_agent_loop(self: Any, *args: Any, **kwargs: Any) -> Any:
        seconds = group_deadline(self.config.data)
        rollout = asyncio.ensure_future(stock(self, *args, **kwargs))
        try:
            ended, _ = await asyncio.wait([rollout], timeout=None if math.isinf(seconds) else seconds)
        except asyncio.CancelledError:
            rollout.cancel()
            raise
        if ended:
            return rollout.result()
        rollout.cancel()
        await asyncio.wait([rollout], timeout=CANCEL)
        raise GroupDeadlineError(f"no answer within data.group_deadline={seconds:g} s")

    return _run_agent_loop


_OPEN = OpenGroups()  # the groups of the trainer's process


def wrap_generate_sequences(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the trainer's `generate_sequences` note the groups that it hands out."""

    def generate_sequences(self: Any, prompts: Any) -> Any:
        _OPEN.deadline = group_deadline(self.config.data)
        uids, contents = list(prompts["uid"]), list(prompts["raw_prompt"])
        _OPEN.hand_out({str(u): media_of(c) for u, c in zip(uids, contents, strict=True)}, time.monotonic())
        return stock(self, prompts)

    return generate_sequences


def wrap_sync_metadata(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes the replay buffer, when it looks which groups have ended, look how long the others take."""

    def _sync_metadata_from_transfer_queue(self: Any) -> None:
        stock(self)
        running = set().union(*self.pending_keys.values(), *self.running_keys.values())
        if message := _OPEN.look(running, time.monotonic()):
            logger.warning(message)

    return _sync_metadata_from_transfer_queue
