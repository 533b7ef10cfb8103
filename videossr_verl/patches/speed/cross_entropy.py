"""verl 0.9.1: without flash-attn's Triton kernel, log-probabilities take four times the memory of the logits in bf16.

verl then goes row by row, and keeps all rows for the backward pass: 80,000 tokens of a vocabulary of 152,000 are
25 GB of logits and 75 GB more. This writes the gradient in the place of the logits, as that kernel does.
"""

from __future__ import annotations

from typing import Any

import torch

_CHUNK = 2**26  # logits in float32 at a time: 256 MiB


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, labels: torch.Tensor, in_place: bool) -> torch.Tensor:
        lse = torch.empty(len(logits), dtype=torch.float32, device=logits.device)
        for rows in _chunks(logits):
            torch.logsumexp(logits[rows].float(), dim=-1, out=lse[rows])
        ctx.save_for_backward(logits, labels, lse)
        ctx.in_place = in_place
        return lse - logits.gather(1, labels[:, None])[:, 0]

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        logits, labels, lse = ctx.saved_tensors
        gradient = logits if ctx.in_place else torch.empty_like(logits)
        for rows in _chunks(logits):
            part = (logits[rows] - lse[rows, None]).exp_()  # in float32, beside the logits
            part[torch.arange(len(part), device=part.device), labels[rows]] -= 1.0
            gradient[rows] = part.mul_(grads[0][rows, None])
        return gradient, None, None


def _chunks(logits: torch.Tensor) -> list[slice]:
    step = max(1, _CHUNK // logits.shape[1])
    return [slice(start, start + step) for start in range(0, len(logits), step)]


def cross_entropy_loss(
    logits: torch.Tensor, labels: torch.Tensor, inplace_backward: bool = False
) -> tuple[torch.Tensor, None]:
    """Returns (the losses (N,) in float32, None), as flash-attn's function of this name; the second are its z-losses.

    Args:
        logits: (N, vocabulary), in float32 or less. labels: (N,), each from 0 to before the vocabulary's size.
        inplace_backward: the backward pass overwrites the logits with their gradient.
    """
    return _CrossEntropy.apply(logits, labels, inplace_backward), None


def give_to_verl(torch_functional: Any) -> None:
    """Stands in for flash-attn's cross entropy, where that is not installed."""
    if not torch_functional.FLAH_ATTN_CROSS_ENTROPY_LOSS_AVAILABLE:
        torch_functional.cross_entropy_loss = cross_entropy_loss
        torch_functional.FLAH_ATTN_CROSS_ENTROPY_LOSS_AVAILABLE = True
