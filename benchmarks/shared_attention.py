"""Run by actor.py: one layer's attention of a prompt's answers, as rows of their own and with the prompt once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch.nn.functional import scaled_dot_product_attention
from verl.utils.device import get_torch_device

from videossr_verl.families.shape import TextShape
from videossr_verl.patches.speed.shared_prompts.flash import flash_attention
from videossr_verl.patches.speed.shared_prompts.layout import Group, Layout
from videossr_verl.preflight.memory.gpus import GIB

HEADER = ("heads", "prompt + answers", "pass", "ms rows", "ms shared", "GiB rows", "GiB shared", "gap to exact")
TIMES = 5


def attention_lines(text: TextShape, prompt: int, answer: int, answers: int) -> Iterator[str]:
    """The result's line and the gradients'. The gap is the norm of the difference to fp32, over the norm: in bf16 on a
    GPU, in fp32 on a CPU.
    """
    device = get_torch_device().get_device_name()
    kind = torch.float32 if device == "cpu" else torch.bfloat16
    once = Layout((Group(tuple(range(answers)), prompt, (answer,) * answers),))
    rows = Layout(tuple(Group((row,), prompt + answer, (0,)) for row in range(answers)))
    generator = torch.Generator(device).manual_seed(0)

    def noise(tokens: int) -> list[torch.Tensor]:
        heads = (text.heads, text.kv_heads, text.kv_heads, text.heads)
        size = [(tokens, number, text.head_dim) for number in heads]
        return [torch.randn(shape, device=device, generator=generator, dtype=kind) for shape in size]

    _, *of_rows = run(noise(rows.tokens), rows)
    tensors = noise(once.tokens)
    found, *of_shared = run(tensors, once)
    gaps = [
        float((x.float() - y).norm() / y.norm()) for x, y in zip(found, exact(tensors, prompt, answer), strict=True)
    ]
    shape = (f"{text.heads} / {text.kv_heads}", f"{prompt} + {answers} x {answer}")
    for name, (s_rows, size_rows), (s_shared, size_shared), gap in zip(
        ("forward", "both"), of_rows, of_shared, (gaps[0], max(gaps[1:])), strict=True
    ):
        times = (f"{1000 * s_rows:.2f}", f"{1000 * s_shared:.2f}")
        sizes = (f"{size_rows / GIB:.2f}", f"{size_shared / GIB:.2f}")
        yield f"| {' | '.join([*shape, name, *times, *sizes, f'{gap:.2%}'])} |"


def run(tensors: list[torch.Tensor], layout: Layout) -> tuple[list[torch.Tensor], tuple[float, int], tuple[float, int]]:
    """Result and gradients; (seconds, bytes at the peak) of the forward pass, and of both passes."""
    inputs = [x.detach().requires_grad_() for x in tensors[:3]]

    def forward() -> list[torch.Tensor]:
        return [flash_attention(inputs[0], inputs[1], inputs[2], layout)]

    def both() -> list[torch.Tensor]:
        (out,) = forward()
        return [out.detach(), *torch.autograd.grad(out, inputs, tensors[3])]

    device, costs, found = get_torch_device(), [], []
    for passes in (forward, both):
        passes()
        device.synchronize()
        device.reset_peak_memory_stats()
        before, start = device.memory_allocated(), time.perf_counter()
        for _ in range(TIMES):
            found = passes()
        device.synchronize()
        costs.append(((time.perf_counter() - start) / TIMES, device.max_memory_allocated() - before))
    return found, costs[0], costs[1]


def exact(tensors: list[torch.Tensor], prompt: int, answer: int) -> list[torch.Tensor]:
    """Result and gradients of each answer's own row in fp32, one after the other; a prompt's results count once."""
    *inputs, gradient = (x.detach().float() for x in tensors)
    inputs = [x.requires_grad_() for x in inputs]
    out, grads = torch.empty_like(gradient), [torch.zeros_like(x) for x in inputs]
    for row in range((len(out) - prompt) // answer):
        mine = torch.arange(prompt + answer, device=out.device)
        mine[prompt:] += row * answer
        q, k, v = (x[mine].transpose(0, 1)[None] for x in inputs)
        seen = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)[0].transpose(0, 1)
        kept = mine[prompt if row else 0 :]
        out[kept] = seen[-len(kept) :].detach()
        mine_too = torch.autograd.grad(seen[-len(kept) :], inputs, gradient[kept])
        grads = [total + more for total, more in zip(grads, mine_too, strict=True)]
    return [out, *grads]
