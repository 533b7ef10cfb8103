"""verl 0.9.1: 3-D position ids of equally long rows, or of a single row, arrive grouped by the wrong axis.

TransferQueue packs rows (4, L_i) with `torch.nested.as_nested_tensor(layout=jagged)`. Rows of different
length become values (4, sum L_i) with offsets in tokens. Rows of one length (always so for a single row)
become values (4 B, L) with offsets 0, 4, 8, ...: ragged over the four M-RoPE axes.
`maybe_fix_3d_position_ids` then declares the last axis ragged all the same. So `update_actor` dies, or, if L == 4 B,
goes on with wrong positions. For these tasks this happens every day: when `max_response_length` cuts all rollouts, and
with one row per rank.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from tensordict import TensorDict


def rows_by_axes(values: torch.Tensor, offsets: torch.Tensor) -> list[torch.Tensor] | None:
    """Returns the rows (axes, L) of a nested tensor that is ragged over its M-RoPE axes, or None if it is not.

    Args:
        values: (rows * axes, L) in the wrong grouping, (axes, total tokens) in the right one.
        offsets: (rows + 1,) borders of the rows in the ragged axis.
    """
    if values.dim() != 2:
        return None
    num_rows = offsets.numel() - 1
    num_axes = values.shape[0] // num_rows
    # 3 axes for a model's own position ids, 4 with verl's text axis in front.
    if num_axes not in (3, 4) or values.shape[0] != num_rows * num_axes:
        return None
    if offsets.tolist() != list(range(0, values.shape[0] + 1, num_axes)):
        return None
    return list(values.reshape(num_rows, num_axes, -1).unbind(0))


def wrap_fix_3d_position_ids(stock: Callable[[TensorDict], None]) -> Callable[[TensorDict], None]:
    """Makes `maybe_fix_3d_position_ids` regroup such rows before it does what it always did."""
    from verl.utils.tensordict_utils import nested_tensor_from_tensor_list

    def maybe_fix_3d_position_ids(data: TensorDict) -> None:
        # Any: torch's stubs do not know nested tensors.
        positions: Any = data["position_ids"] if "position_ids" in data.keys() else None  # noqa: SIM118
        if positions is not None and positions.is_nested and positions.dim() == 3:
            rows = rows_by_axes(positions.values(), positions.offsets())
            if rows is not None:
                with data.unlock_():
                    data["position_ids"] = nested_tensor_from_tensor_list(rows, ragged_idx=2)
        stock(data)

    return maybe_fix_3d_position_ids
