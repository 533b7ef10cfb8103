"""Attention of a shared sequence: a prompt attends to itself, each answer to its prompt and to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from videossr_verl.patches.speed.shared_prompts.flash import flash_attention
from videossr_verl.patches.speed.shared_prompts.layout import Layout

# Of the micro-batch that is computed. It stays until the next one, because gradient checkpointing runs the layers again
# in the backward pass.
_layout: Layout | None = None


def use(layout: Layout | None) -> None:
    """Sets the layout of the next forward pass, None for rows that share nothing."""
    global _layout
    _layout = layout


def wrap_get_interface(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the attention of transformers' language models take the shared sequence's where a layout is set."""

    def get_interface(self: Any, *args: Any, **kwargs: Any) -> Any:
        function = stock(self, *args, **kwargs)

        def attention(
            module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *more: Any, **how: Any
        ) -> Any:
            if _layout is None or not getattr(module, "is_causal", False):  # a vision tower's is not
                return function(module, query, key, value, *more, **how)
            q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
            return flash_attention(q, k, v, _layout, how.get("scaling"))[None], None

        return attention

    return get_interface


def wrap_flash_attention_of_qwen2_vl(stock: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The same for verl's own attention of Qwen2.5-VL, which packed rows take."""

    def _custom_flash_attention_forward(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        if _layout is None:
            return stock(query, key, value, *args, **kwargs)
        return flash_attention(query[0], key[0], value[0], _layout, kwargs.get("softmax_scale"))[None]

    return _custom_flash_attention_forward
