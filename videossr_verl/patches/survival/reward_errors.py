"""An error in a reward ends the run, with its cause and the row.

verl 0.9.1 takes it for one more rollout that failed, and would leave the row's group out, like one whose video is gone.
But no video is to blame: the reward or the row is wrong, and would be wrong each time. The reward worker that raises
the error reports it, and the trainer looks for it whenever it looks for rollouts, in training and validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import ray

from videossr_verl.cluster.worker_reports import open_mailbox
from videossr_verl.patches.survival.causes import cause

MAILBOX = "videossr_reward_errors"
SHOWN = 80  # characters of a ground truth


class RewardError(RuntimeError):
    """The error for a reward that could not be computed. The message tells the row and the cause."""


def wrap_compute_score(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a reward worker's `compute_score` tell the trainer what it raises."""

    async def compute_score(self: Any, data: Any) -> dict[str, Any]:
        try:
            return await stock(self, data)
        except Exception as error:
            message = describe(data[-1].non_tensor_batch, error)
            await open_mailbox(MAILBOX).post.remote(message)
            raise RewardError(message) from error

    return compute_score


def wrap_sync_metadata(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes the replay buffer, when it sees which rollouts have ended, raise what a reward worker told before."""

    def _sync_metadata_from_transfer_queue(self: Any) -> None:
        stock(self)
        for message in ray.get(_box().take.remote()):
            raise RewardError(
                f"{message}; mend the reward or the row: the same command goes on from the last checkpoint"
            )

    return _sync_metadata_from_transfer_queue


def describe(row: Mapping[str, Any], error: Exception) -> str:
    """Names the row and the cause in one line."""
    truth = repr((row.get("reward_model") or {}).get("ground_truth"))
    shown = truth if len(truth) <= SHOWN else f"{truth[:SHOWN]}..."
    return (
        f"the reward of data_source '{row.get('data_source')}' failed on the row with extra_info.index"
        f" {(row.get('extra_info') or {}).get('index')!r} and ground truth {shown}: {cause(error)}"
    )


@cache
def _box() -> Any:
    return open_mailbox(MAILBOX)  # it lives as long as the trainer's process
