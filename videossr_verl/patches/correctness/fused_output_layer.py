"""verl 0.9.1: under FSDP2 a fused kernel reads the output layer's weights past FSDP.

If the output layer is not the embedding (Qwen2.5-VL 7B and larger, Qwen3-VL 8B and larger), FSDP2 shards it by itself.
verl's fused forward never calls that layer, but takes its shards and joins them. The shards are fp32 and the hidden
states bf16, so the first backward pass ends with an error. With fp32 throughout each rank would keep its own gradient
in place of the mean of all. This patch has FSDP gather the layer, in bf16, and reduce its gradient as any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.distributed.fsdp import FSDPModule


def wrap_forward_with_torch_backend(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the fused forward gather the output layer through FSDP2."""

    def forward_with_torch_backend(self: Any, *args: Any, **kwargs: Any) -> Any:
        layer = self.lm_head
        if not isinstance(layer, FSDPModule):
            return stock(self, *args, **kwargs)
        layer.unshard()
        output = stock(self, *args, **kwargs)
        # If a backward pass follows, FSDP frees the layer after it, when it has reduced the gradient.
        if not torch.is_grad_enabled():
            layer.reshard()
        return output

    return forward_with_torch_backend
