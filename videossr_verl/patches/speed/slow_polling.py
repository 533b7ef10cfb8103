"""verl 0.9.1: the trainer asks every 2 s whether all rollouts are there, so each step waits a second for nothing.

The interval is fixed in the code, without a setting. Asking costs one small request to TransferQueue's controller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

POLL_INTERVAL = 0.2  # seconds


def wrap_wait_for_next_poll(stock: Callable[..., float]) -> Callable[..., float]:
    """Makes the replay buffer sleep `POLL_INTERVAL` between two looks. What it tells others of its interval stays."""

    def _wait_for_next_poll(self: Any, *args: Any) -> float:
        interval = self.poll_interval
        self.poll_interval = min(interval, POLL_INTERVAL)
        try:
            return stock(self, *args)
        finally:
            self.poll_interval = interval

    return _wait_for_next_poll
