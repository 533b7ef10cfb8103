"""verl packs rows without padding, and transformers then asks flash-attn, which has no wheel for this torch.

PyTorch holds the same FlashAttention 2 kernels (`torch.nn.attention.varlen`). Here they become an attention of
transformers under the name `torch_flash_attention`, which the configs name. flash-attn itself stays a choice
(`option=[flash_attn]`), and costs a build with nvcc. Without a GPU each sequence goes through PyTorch's
`scaled_dot_product_attention`, so that packed rows can be tested there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch.nn.attention.varlen import varlen_attn

NAME = "torch_flash_attention"
# Before torch 2.12 the kernel took fewer heads of keys than of queries without being told.
_FEWER_KEY_HEADS: dict[str, Any] = (
    {"enable_gqa": True} if "enable_gqa" in inspect.signature(varlen_attn).parameters else {}
)


def flash_attn_varlen_func(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    cu_seqlens_q: torch.Tensor,
    cu_seqlens_k: torch.Tensor,
    max_seqlen_q: int | torch.Tensor,
    max_seqlen_k: int | torch.Tensor,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    s_aux: torch.Tensor | None = None,
) -> torch.Tensor:
    """Returns the attention of packed sequences, as flash-attn's function of this name.

    transformers reads this signature, and drops what is not in it without a word. So what the kernel cannot do is here
    too, and refused.

    Args:
        q: (tokens, heads, width). k, v: the same with as many heads, or with fewer that divide them.
        cu_seqlens_q: (sequences + 1,), where each sequence of queries begins, and the end. cu_seqlens_k: of keys.
        max_seqlen_q: tokens of the longest sequence of queries. max_seqlen_k: of keys.
        window_size: keys that a query sees to its left and right; -1 means all. causal takes those to the right away.
    Raises:
        NotImplementedError: dropout, softcap or attention sinks are asked for.
    """
    unknown = {"dropout_p": bool(dropout_p), "softcap": bool(softcap), "s_aux": s_aux is not None}
    if any(unknown.values()):
        asked = ", ".join(name for name, wanted in unknown.items() if wanted)
        raise NotImplementedError(f"{NAME} has no {asked}: install flash-attn, and name it with option=[flash_attn]")
    window = (window_size[0], 0 if causal else window_size[1])
    if not q.is_cuda:
        return _one_by_one(q, k, v, cu_seqlens_q.tolist(), cu_seqlens_k.tolist(), softmax_scale, window)
    starts, starts_of_keys = (places.to(torch.int32) for places in (cu_seqlens_q, cu_seqlens_k))
    longest = int(max_seqlen_q), int(max_seqlen_k)
    out = varlen_attn(
        q, k, v, starts, starts_of_keys, *longest, scale=softmax_scale, window_size=window, **_FEWER_KEY_HEADS
    )
    assert isinstance(out, torch.Tensor)
    return out


def flash_attn_func(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **how: Any) -> torch.Tensor:
    """Returns the attention of B sequences of one length, as flash-attn's function of this name.

    Args:
        q: (B, tokens, heads, width). k, v: the same, with their own number of tokens and heads.
        how: dropout_p to s_aux of `flash_attn_varlen_func`.
    """
    lengths = q.shape[1], k.shape[1]
    starts, starts_of_keys = (torch.arange(len(q) + 1, device=q.device) * length for length in lengths)
    queries, keys, values = (tensor.flatten(0, 1) for tensor in (q, k, v))
    return flash_attn_varlen_func(queries, keys, values, starts, starts_of_keys, *lengths, **how).view(q.shape)


def _one_by_one(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    starts: list[int],
    starts_of_keys: list[int],
    scale: float | None,
    window: tuple[int, int],
) -> torch.Tensor:
    parts = []
    for (start, stop), (first, last) in zip(pairwise(starts), pairwise(starts_of_keys), strict=True):
        one = (tensor.transpose(0, 1)[None] for tensor in (q[start:stop], k[first:last], v[first:last]))
        seen = _seen(stop - start, last - first, window, q.device)
        parts.append(
            torch.nn.functional.scaled_dot_product_attention(*one, attn_mask=seen, scale=scale, enable_gqa=True)[0]
        )
    return torch.cat(parts, dim=1).transpose(0, 1)


def _seen(queries: int, keys: int, window: tuple[int, int], device: torch.device) -> torch.Tensor | None:
    """Returns (queries, keys), True where a query sees a key, or None if each sees all. The last query stands at the
    last key.
    """
    left, right = window
    if left < 0 and right < 0:
        return None
    ahead = torch.arange(keys, device=device) - torch.arange(keys - queries, keys, device=device)[:, None]
    return (ahead >= (-left if left >= 0 else -keys)) & (ahead <= (right if right >= 0 else keys))


def wrap_lazy_imports(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes transformers take the functions of this module for `torch_flash_attention`."""

    def _lazy_imports(implementation: str | None, *args: Any, **kwargs: Any) -> Any:
        if implementation != NAME:
            return stock(implementation, *args, **kwargs)
        from transformers.modeling_flash_attention_utils import _pad_input, _unpad_input

        return flash_attn_func, flash_attn_varlen_func, None, _pad_input, _unpad_input

    return _lazy_imports


def register(modeling_utils: Any) -> None:
    """Adds `torch_flash_attention` to the attentions of transformers. Masks are as for flash-attn."""
    from transformers.integrations.flash_attention import flash_attention_forward
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

    modeling_utils.AttentionInterface.register(NAME, flash_attention_forward)
    AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["flash_attention_2"])


def give_to_qwen2_vl(qwen2_vl: Any) -> None:
    """Gives verl's attention of Qwen2-VL and Qwen2.5-VL what it takes from flash-attn, where that is not installed."""
    if not qwen2_vl.is_flash_attn_2_available():
        qwen2_vl.flash_attn_varlen_func = flash_attn_varlen_func
        qwen2_vl._flash_supports_window_size = True
        qwen2_vl._flash_supports_deterministic = qwen2_vl._flash_use_top_left_mask = False
