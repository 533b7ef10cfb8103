"""Cuts a batch into micro-batches by the tokens that are computed, groups whole where they fit (`use_dynamic_bsz`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.device import get_device_name
from verl.utils.seqlen_balancing import get_seqlen_balanced_partitions

from videossr_verl.patches.speed.shared_prompts.groups import groups_of
from videossr_verl.patches.speed.shared_prompts.layout import Group, Layout


def is_shared(batch: TensorDict) -> bool:
    """Returns whether prompts of a batch are shared; `engine.wrap_forward_backward_batch` notes it."""
    return _setting(batch, "shared_prompts", False)


def wrap_prepare_micro_batches(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes verl's engine take these micro-batches where it chooses them by tokens."""

    def prepare_micro_batches(data: TensorDict, dp_group: Any = None, **kwargs: Any) -> Any:
        if not is_shared(data) or not _setting(data, "use_dynamic_bsz", True):
            return stock(data=data, dp_group=dp_group, **kwargs)
        micro_batches = fill(groups_of(data), _setting(data, "max_token_len_per_gpu", None))
        # Each is a step of FSDP, which every rank takes part in.
        most = torch.tensor([len(micro_batches)], device=get_device_name())
        dist.all_reduce(most, op=dist.ReduceOp.MAX, group=dp_group)
        rows = [
            sorted(row for group in groups for row in group.rows) for groups in divide(micro_batches, int(most.item()))
        ]
        return [tu.index_select_tensor_dict(data, numbers) for numbers in rows], rows

    return prepare_micro_batches


def fill(layout: Layout, limit: int) -> list[list[Group]]:
    """Returns the groups of each micro-batch: as few as the limit allows, with about as many tokens each.

    A group that is too large is cut.

    Args:
        limit: the most tokens that a micro-batch may compute.

    Raises:
        ValueError: a row alone is longer.
    """
    pieces = [piece for group in layout.groups for piece in _cut(group, limit)]
    tokens = [piece.tokens for piece in pieces]
    for number in range(-(-sum(tokens) // limit), len(pieces) + 1):
        partitions: Any = get_seqlen_balanced_partitions(tokens, number, equal_size=False)
        if all(sum(tokens[i] for i in partition) <= limit for partition in partitions):
            return [[pieces[i] for i in partition] for partition in partitions]
    raise AssertionError("each piece is within the limit")


def divide(micro_batches: list[list[Group]], number: int) -> list[list[Group]]:
    """Returns as many micro-batches as asked for, the largest first, by halving the largest.

    Args:
        number: at most the number of rows, at least that of `micro_batches`.
    """
    found = list(micro_batches)
    while len(found) < number:
        largest = max((groups for groups in found if _rows(groups) > 1), key=_tokens)
        found.remove(largest)
        found += _halves(largest)
    return sorted(found, key=_tokens, reverse=True)


def _setting(batch: TensorDict, name: str, default: Any) -> Any:
    return tu.get_non_tensor_data(batch, name, default)


def _cut(group: Group, limit: int) -> list[Group]:
    pieces: list[Group] = []
    for row, answer in zip(group.rows, group.answers, strict=True):
        if group.prompt + answer > limit:
            raise ValueError(
                f"a row has {group.prompt + answer} tokens, and a micro-batch may have {limit}: raise"
                " max_token_len_per_gpu"
            )
        if pieces and pieces[-1].tokens + answer <= limit:
            last = pieces.pop()
            pieces.append(Group((*last.rows, row), group.prompt, (*last.answers, answer)))
        else:
            pieces.append(Group((row,), group.prompt, (answer,)))
    return pieces


def _halves(groups: list[Group]) -> tuple[list[Group], list[Group]]:
    if len(groups) > 1:
        by_size = sorted(groups, key=lambda group: group.tokens)
        return by_size[::2], by_size[1::2]
    (group,) = groups
    half = len(group.rows) // 2
    return [Group(group.rows[:half], group.prompt, group.answers[:half])], [
        Group(group.rows[half:], group.prompt, group.answers[half:])
    ]


def _rows(groups: list[Group]) -> int:
    return sum(len(group.rows) for group in groups)


def _tokens(groups: list[Group]) -> int:
    return sum(group.tokens for group in groups)
