"""A shared sequence's attention by PyTorch's FlashAttention kernels, without copies of the prompt's keys.

Two calls make it: every part attends to itself (causal), and each group's answers, together, to its prompt. Their
results are merged by the log-sum-exp of their scores. Backward, both calls get the merged result and the merged
log-sum-exp: with these a kernel computes exactly its own share of the gradients, as in ring attention
(arXiv 2310.01889).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch

from videossr_verl.patches.speed.shared_prompts.layout import Layout


@dataclass(frozen=True)
class Sequences:
    """Packed sequences of one kernel call: where each begins, and the end, (sequences + 1,) in int32; the longest."""

    starts: torch.Tensor
    longest: int


class Kernels(NamedTuple):
    """Attention of packed sequences: q (tokens, heads, width), log-sum-exp (heads, tokens) in float32.

    Attributes:
        forward: (q, k, v, sequences of q, of k, causal, scale) -> (result, log-sum-exp of the scores).
        backward: (gradient, q, k, v, result, log-sum-exp, sequences of q, of k, causal, scale) -> gradients of q, k, v.
    """

    forward: Callable[..., tuple[torch.Tensor, torch.Tensor]]
    backward: Callable[..., tuple[torch.Tensor, torch.Tensor, torch.Tensor]]


def _flash_forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, of_q: Sequences, of_k: Sequences, causal: bool, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    places = of_q.starts, of_k.starts, of_q.longest, of_k.longest
    out, lse, *_ = torch.ops.aten._flash_attention_forward(q, k, v, *places, 0.0, causal, False, scale=scale)
    return out, lse


def _flash_backward(
    grad: torch.Tensor,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    out: torch.Tensor,
    lse: torch.Tensor,
    of_q: Sequences,
    of_k: Sequences,
    causal: bool,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    places = of_q.starts, of_k.starts, of_q.longest, of_k.longest
    no_dropout = torch.zeros(2, dtype=torch.uint64, device=q.device)
    unused = torch.empty(0, device=q.device)
    return torch.ops.aten._flash_attention_backward(
        grad, q, k, v, out, lse, *places, 0.0, causal, no_dropout, unused, scale=scale
    )


FLASH = Kernels(_flash_forward, _flash_backward)


def _cpu_forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, of_q: Sequences, of_k: Sequences, causal: bool, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    found = [
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            _one(q[rows]), _one(k[keys]), _one(v[keys]), 0.0, causal, scale=scale
        )
        for rows, keys in _spans(of_q, of_k)
    ]
    return torch.cat([out[0].transpose(0, 1) for out, _ in found]), torch.cat([lse[0] for _, lse in found], 1)


def _cpu_backward(
    grad: torch.Tensor,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    out: torch.Tensor,
    lse: torch.Tensor,
    of_q: Sequences,
    of_k: Sequences,
    causal: bool,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    found = [
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
            *(_one(x) for x in (grad[rows], q[rows], k[keys], v[keys], out[rows])),
            lse[None, :, rows],
            0.0,
            causal,
            scale=scale,
        )
        for rows, keys in _spans(of_q, of_k)
    ]
    of_queries, of_keys, of_values = (
        torch.cat([x[0].transpose(0, 1) for x in part]) for part in zip(*found, strict=True)
    )
    return of_queries, of_keys, of_values


def _one(x: torch.Tensor) -> torch.Tensor:
    """Returns a sequence as the kernels for CPUs take it: (1, heads, tokens, width) of (tokens, heads, width)."""
    return x.transpose(0, 1)[None]


def _spans(of_q: Sequences, of_k: Sequences) -> Iterator[tuple[slice, slice]]:
    bounds = (pairwise(sequences.starts.tolist()) for sequences in (of_q, of_k))
    return ((slice(*rows), slice(*keys)) for rows, keys in zip(*bounds, strict=True))


CPU = Kernels(_cpu_forward, _cpu_backward)


@dataclass(frozen=True)
class _Places:
    parts: Sequences
    answers: Sequences
    prompts: Sequences
    of_answers: torch.Tensor
    of_prompts: torch.Tensor


def flash_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    layout: Layout,
    scale: float | None = None,
    kernels: Kernels | None = None,
) -> torch.Tensor:
    """Returns the attention of a shared sequence, (tokens, heads, width).

    Args:
        q: (tokens, heads, width). k, v: the same, with as many heads, or with fewer that divide them.
        scale: of the scores; None for width ** -0.5.
        kernels: None for PyTorch's of the device.
    """
    scaled = q.shape[-1] ** -0.5 if scale is None else scale
    return _Flash.apply(q, k, v, _places(layout, q.device), scaled, kernels or (FLASH if q.is_cuda else CPU))


class _Flash(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        at: _Places,
        scale: float,
        kernels: Kernels,
    ) -> torch.Tensor:
        q, k, v = (x.contiguous() for x in (q, k, v))
        out, lse = kernels.forward(q, k, v, at.parts, at.parts, True, scale)
        if len(at.of_answers):
            seen = (x[at.of_prompts] for x in (k, v))
            there, lse_there = kernels.forward(q[at.of_answers], *seen, at.answers, at.prompts, False, scale)
            lse_own = lse[:, at.of_answers]
            merged = torch.logaddexp(lse_own, lse_there)
            own, other = ((part - merged).exp().T[..., None] for part in (lse_own, lse_there))
            out[at.of_answers] = (out[at.of_answers] * own + there * other).to(out.dtype)
            lse[:, at.of_answers] = merged
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.at, ctx.scale, ctx.kernels = at, scale, kernels
        return out

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        q, k, v, out, lse = ctx.saved_tensors
        at, grad = ctx.at, grads[0].contiguous()
        found = ctx.kernels.backward(grad, q, k, v, out, lse, at.parts, at.parts, True, ctx.scale)
        if len(at.of_answers):
            answers, prompts = at.of_answers, at.of_prompts
            here = grad[answers], q[answers], k[prompts], v[prompts], out[answers], lse[:, answers].contiguous()
            more = ctx.kernels.backward(*here, at.answers, at.prompts, False, ctx.scale)
            places = answers, prompts, prompts
            found = tuple(x.index_add(0, place, y) for x, place, y in zip(found, places, more, strict=True))
        return *found, None, None, None


def _places(layout: Layout, device: torch.device) -> _Places:
    prompts, answers = [], []
    for prompt, of_it in layout.spans():
        if of_it[-1].stop > prompt.stop:  # kernels get no empty sequence
            prompts.append(prompt)
            answers.append(slice(prompt.stop, of_it[-1].stop))
    return _Places(
        _sequences([length for length in layout.parts if length], device),
        _sequences([part.stop - part.start for part in answers], device),
        _sequences([part.stop - part.start for part in prompts], device),
        _numbers(answers, device),
        _numbers(prompts, device),
    )


def _sequences(lengths: Sequence[int], device: torch.device) -> Sequences:
    starts = torch.tensor(list(accumulate(lengths, initial=0)), dtype=torch.int32, device=device)
    return Sequences(starts, max(lengths, default=0))


def _numbers(parts: Sequence[slice], device: torch.device) -> torch.Tensor:
    numbers = [torch.arange(part.start, part.stop, device=device) for part in parts]
    return torch.cat(numbers) if numbers else torch.empty(0, dtype=torch.long, device=device)
