"""Attention of a shared sequence: a prompt attends to itself, each answer to its prompt and to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from videossr_verl.patches.speed.shared_prompts.flash import flash_attention
from videossr_verl.patches.speed.shared_prompts.layout import Layout

# Of the micro-batch that is computed. It stays until the next one, because gradient checkpointing runs the layers again
# in the backward pass.
_layout: Layout | None = None


def use(layout: Layout | None) -> None:
    """Sets the layout of the next forward pass, None for rows that share nothing."""
    global _layout
    _layout = layout


def shared_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, layout: Layout, scale: float | None
) -> torch.Tensor:
    """Returns the attention of a shared sequence, (tokens, heads, width).

    Args:
        q: (tokens, heads, width). k, v: the same, with as many heads, or with fewer that divide them.
        scale: of the scores; None for width ** -0.5.
    """
    scaled = q.shape[-1] ** -0.5 if scale is None else scale
    if q.is_cuda:
        return flash_attention(q, k, v, layout, scaled)
    parts = []
    for prompt, answers in layout.spans():
        parts.append(_attend(q[prompt], k[prompt], v[prompt], scaled, None))
        for answer in answers:
            keys, values = (torch.cat([x[prompt], x[answer]]) for x in (k, v))
            length = answer.stop - answer.start
            seen = torch.ones(length, len(keys), dtype=torch.bool, device=q.device).tril(len(keys) - length)
            parts.append(_attend(q[answer], keys, values, scaled, seen))
    return torch.cat(parts)


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float, seen: torch.Tensor | None) -> torch.Tensor:
    """Returns the attention of one sequence; causal if `seen`, (queries, keys), is None."""
    one, other, values = (x.transpose(0, 1)[None] for x in (q, k, v))
    causal = seen is None
    out = scaled_dot_product_attention(
        one, other, values, attn_mask=seen, is_causal=causal, scale=scale, enable_gqa=True
    )
    return out[0].transpose(0, 1)


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
            return shared_attention(q, k, v, _layout, how.get("scaling"))[None], None

        return attention

    return get_interface


def wrap_flash_attention_of_qwen2_vl(stock: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The same for verl's own attention of Qwen2.5-VL, which packed rows take."""

    def _custom_flash_attention_forward(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        if _layout is None:
            return stock(query, key, value, *args, **kwargs)
        return shared_attention(query[0], key[0], value[0], _layout, kwargs.get("softmax_scale"))[None]

    return _custom_flash_attention_forward
