"""verl 0.9.1 saves FSDP2 weights without a copy where they are in host memory (offload_policy, or no GPU).

`separate_async` computes old log-probs with the weights that answered: it saves them, and puts them back for each
further mini batch. What it saves then changes with the update, and every ratio of new to old is 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn


def wrap_save_to_cpu(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes what `fsdp2_sharded_save_to_cpu` returns a copy in any case."""

    def fsdp2_sharded_save_to_cpu(model: nn.Module) -> Any:
        saved, spec = stock(model)
        on_host = {name for name, weight in model.named_parameters() if weight.device.type == "cpu"}
        return {name: (x.clone() if name in on_host else x, how) for name, (x, how) in saved.items()}, spec

    return fsdp2_sharded_save_to_cpu
