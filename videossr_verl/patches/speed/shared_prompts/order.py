"""Keeps the rows of a prompt together where a batch is shared out over ranks and micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def wrap_balance_batch(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Orders a batch by its groups, after verl has made it large enough for all ranks."""

    def _balance_batch(self: Any, batch: Any, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        batch = stock(self, batch, metrics, *args, **kwargs)
        if self.config.actor_rollout_ref.actor.get("shared_prompts", False):
            ranks = max(self.actor_rollout_wg._dispatch_info["actor"]) + 1
            batch.reorder(order_by_groups([key.partition("_")[0] for key in batch.keys], batch.tags, ranks))
        return batch

    return _balance_batch


def order_by_groups(groups: Sequence[str], tags: Sequence[Mapping[str, Any]], ranks: int) -> list[int]:
    """Returns the rows' numbers in their new order. Each rank takes as many in turn.

    Groups of one size go whole to a rank, so that all ranks compute about as many tokens. Else they stand one after the
    other, and a rank's end may divide one.

    Args:
        groups: of each row.
        tags: of each row, with `prompt_len` and `response_len` in tokens.
        ranks: they divide the number of rows.
    """
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    rows_of = list(members.values())
    if len({len(rows) for rows in rows_of}) > 1 or len(rows_of) % ranks:
        return [row for rows in rows_of for row in rows]
    from verl.utils.seqlen_balancing import get_seqlen_balanced_partitions

    computed = [tags[rows[0]]["prompt_len"] + sum(tags[row]["response_len"] for row in rows) for rows in rows_of]
    partitions: Any = get_seqlen_balanced_partitions(computed, k_partitions=ranks, equal_size=True)
    return [row for partition in partitions for group in partition for row in rows_of[group]]
