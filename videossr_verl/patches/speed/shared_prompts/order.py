"""Keeps the rows of a prompt together where a batch is shared out over ranks and micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def wrap_balance_batch(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Orders a batch by its groups, after verl has made it large enough for all ranks. The metrics of its balance then
    count the tokens that are computed.
    """

    def _balance_batch(
        self: Any, batch: Any, metrics: dict[str, Any], logging_prefix: str = "global_seqlen", **kwargs: Any
    ) -> Any:
        batch = stock(self, batch, metrics, logging_prefix, **kwargs)
        if self.config.actor_rollout_ref.actor.get("shared_prompts", False):
            from verl.utils.seqlen_balancing import log_seqlen_unbalance

            groups = [key.partition("_")[0] for key in batch.keys]
            ranks = share_out(groups, batch.tags, max(self.actor_rollout_wg._dispatch_info["actor"]) + 1)
            computed = computed_tokens(groups, batch.tags, ranks)
            metrics.update(log_seqlen_unbalance(computed, ranks, logging_prefix))
            batch.reorder([row for rows in ranks for row in rows])
        return batch

    return _balance_batch


def share_out(groups: Sequence[str], tags: Sequence[Mapping[str, Any]], ranks: int) -> list[list[int]]:
    """Returns the numbers of each rank's rows: as many for each rank, about as many computed tokens, group by group.

    A group is divided only where no rank has room for it, and stands at the end of its ranks' rows then.

    Args:
        groups: of each row.
        tags: of each row, with `prompt_len` and `response_len` in tokens.
        ranks: they divide the number of rows.
    """
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    tokens = {group: tags[rows[0]]["prompt_len"] + _answers(tags, rows) for group, rows in members.items()}
    if len({len(rows) for rows in members.values()}) == 1 and len(members) % ranks == 0:
        from verl.utils.seqlen_balancing import get_seqlen_balanced_partitions

        whole = list(members.values())
        partitions: Any = get_seqlen_balanced_partitions(list(tokens.values()), k_partitions=ranks, equal_size=True)
        return [[row for group in partition for row in whole[group]] for partition in partitions]
    room, shares, load = len(groups) // ranks, [list[int]() for _ in range(ranks)], [0] * ranks
    divided = []
    for group in sorted(members, key=tokens.__getitem__, reverse=True):
        rows = members[group]
        free = [rank for rank in range(ranks) if len(shares[rank]) + len(rows) <= room]
        if free:
            rank = min(free, key=load.__getitem__)
            shares[rank] += rows
            load[rank] += tokens[group]
        else:
            divided.append(rows)
    for rows in divided:
        while rows:
            rank = min((rank for rank in range(ranks) if len(shares[rank]) < room), key=load.__getitem__)
            part, rows = rows[: room - len(shares[rank])], rows[room - len(shares[rank]) :]
            shares[rank] += part
            load[rank] += tags[part[0]]["prompt_len"] + _answers(tags, part)
    return shares


def computed_tokens(
    groups: Sequence[str], tags: Sequence[Mapping[str, Any]], ranks: Sequence[Sequence[int]]
) -> list[int]:
    """Returns the tokens of each row; those of a prompt count for its first row on a rank."""
    tokens = [tag["response_len"] for tag in tags]
    for rows in ranks:
        for row in {groups[row]: row for row in reversed(rows)}.values():
            tokens[row] += tags[row]["prompt_len"]
    return tokens


def _answers(tags: Sequence[Mapping[str, Any]], rows: Sequence[int]) -> int:
    return sum(tags[row]["response_len"] for row in rows)
