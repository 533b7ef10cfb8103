"""A shared sequence's attention is that of its rows, one by one: results and gradients."""

import pytest
import torch

from videossr_verl.patches.speed.shared_prompts.flash import Kernels, flash_attention
from videossr_verl.patches.speed.shared_prompts.layout import Group, Layout

LAYOUTS = {
    "one group": Layout((Group((0, 1, 2), 7, (3, 1, 5)),)),
    "two groups, one row alone": Layout((Group((0, 2), 4, (2, 6)), Group((1,), 5, (3,)))),
    "empty answers": Layout((Group((0, 1), 4, (0, 3)), Group((2,), 6, (0,)), Group((3, 4), 2, (0, 0)))),
}
SCALE = 0.3


def scores(q, k, of_q, of_k, causal):
    """Yields each sequence's places and scores; the last query stands at the last key."""
    for a, b, c, d in zip(of_q.starts[:-1], of_q.starts[1:], of_k.starts[:-1], of_k.starts[1:], strict=True):
        repeated = k[c:d].repeat_interleave(q.shape[1] // k.shape[1], 1)
        found = torch.einsum("qhw,khw->hqk", q[a:b], repeated) * SCALE
        if causal:
            found = found.masked_fill(torch.ones(b - a, d - c).triu(1 + d - c - (b - a)).bool(), float("-inf"))
        yield slice(a, b), slice(c, d), found


def forward(q, k, v, of_q, of_k, causal, scale):
    """The kernel, written out."""
    out, lse = torch.empty_like(q), q.new_empty(q.shape[1], len(q))
    for rows, keys, found in scores(q, k, of_q, of_k, causal):
        values = v[keys].repeat_interleave(q.shape[1] // v.shape[1], 1)
        out[rows] = torch.einsum("hqk,khw->qhw", found.softmax(-1), values)
        lse[:, rows] = found.logsumexp(-1)
    return out, lse


def backward(grad, q, k, v, out, lse, of_q, of_k, causal, scale):
    """Its gradients, from a result and a log-sum-exp that may be those of more keys."""
    dq, dk, dv = (torch.zeros_like(x) for x in (q, k, v))
    delta = (grad * out).sum(-1).T
    for rows, keys, found in scores(q, k, of_q, of_k, causal):
        share = (found - lse[:, rows, None]).exp()
        repeats = q.shape[1] // k.shape[1]
        k_, v_ = (x[keys].repeat_interleave(repeats, 1) for x in (k, v))
        d_share = torch.einsum("qhw,khw->hqk", grad[rows], v_)
        d_found = share * (d_share - delta[:, rows, None]) * SCALE
        dq[rows] = torch.einsum("hqk,khw->qhw", d_found, k_)
        for target, whole in (
            (dk, torch.einsum("hqk,qhw->khw", d_found, q[rows])),
            (dv, torch.einsum("hqk,qhw->khw", share, grad[rows])),
        ):
            target[keys] += whole.unflatten(1, (-1, repeats)).sum(2)
    return dq, dk, dv


def row_by_row(q, k, v, layout):
    """Each row alone, by exact attention; the prompt's part comes from its first row."""
    out = torch.empty_like(q)
    for prompt, answers in layout.spans():
        for answer in answers:
            places = torch.tensor([*range(prompt.start, prompt.stop), *range(answer.start, answer.stop)])
            repeats = q.shape[1] // k.shape[1]
            k_, v_ = (x[places].repeat_interleave(repeats, 1) for x in (k, v))
            found = torch.einsum("qhw,khw->hqk", q[places], k_) * SCALE
            found = found.masked_fill(torch.ones(len(places), len(places)).triu(1).bool(), float("-inf"))
            seen = torch.einsum("hqk,khw->qhw", found.softmax(-1), v_)
            kept = places if answer is answers[0] else places[len(places) - (answer.stop - answer.start) :]
            out = out.index_put((kept,), seen[len(seen) - len(kept) :])
    return out


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("kind", ["kernels for CPUs", "kernels written out"])
def test_it_is_each_rows_own(layout, kind):
    torch.manual_seed(1)
    shapes = ((layout.tokens, 4, 8), (layout.tokens, 2, 8), (layout.tokens, 2, 8))
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    kernels = None if kind == "kernels for CPUs" else Kernels(forward, backward)
    found = flash_attention(*tensors, layout, SCALE, kernels)
    expected = row_by_row(*tensors, layout)
    torch.testing.assert_close(found, expected)
    gradient = torch.randn_like(found)
    for ours, stock in zip(
        torch.autograd.grad(found, tensors, gradient), torch.autograd.grad(expected, tensors, gradient), strict=True
    ):
        torch.testing.assert_close(ours, stock)


def test_no_kernel_gets_an_empty_sequence():
    lengths = []

    def looking(q, k, v, of_q, of_k, causal, scale):
        lengths.extend([*of_q.starts.diff().tolist(), *of_k.starts.diff().tolist()])
        return forward(q, k, v, of_q, of_k, causal, scale)

    layout = LAYOUTS["empty answers"]
    q, k = torch.randn(layout.tokens, 4, 8), torch.randn(layout.tokens, 2, 8)
    flash_attention(q, k, k, layout, SCALE, Kernels(looking, backward))
    assert min(lengths) > 0
