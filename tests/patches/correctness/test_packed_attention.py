"""Attention of packed rows by PyTorch alone. tests/preflight/memory/test_ulysses.py has it in whole models."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import verl  # noqa: F401  (loads the plugin)
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import modeling_flash_attention_utils as flash
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from videossr_verl.patches.correctness import packed_attention
from videossr_verl.patches.correctness.packed_attention import NAME, flash_attn_func, flash_attn_varlen_func


def exact(q, k, v, causal, window, scale):
    """One sequence, head by head and query by query, in float64."""
    out = np.zeros(q.shape)
    for head in range(q.shape[1]):
        keys, values = (x[:, head * k.shape[1] // q.shape[1]] for x in (k, v))
        for i in range(len(q)):
            place = i + len(k) - len(q)  # the last query stands at the last key
            first = max(0, place - window[0]) if window[0] >= 0 else 0
            end = place + 1 if causal else len(k) if window[1] < 0 else min(len(k), place + window[1] + 1)
            weights = np.exp(keys[first:end] @ q[i, head] * scale)
            out[i, head] = weights @ values[first:end] / weights.sum()
    return out


@settings(max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    heads=st.sampled_from([(1, 1), (4, 2), (6, 1)]),
    causal=st.booleans(),
    left=st.sampled_from([-1, 0, 2]),
    scale=st.sampled_from([None, 0.3]),
    seed=st.integers(0, 99),
)
def test_each_sequence_sees_itself_alone(lengths, heads, causal, left, scale, seed):
    rng = np.random.default_rng(seed)
    q, k, v = (rng.normal(size=(sum(lengths), n, 8)) for n in (heads[0], heads[1], heads[1]))
    starts = np.cumsum([0, *lengths])
    window = (left, left)
    places = torch.tensor(starts, dtype=torch.int32)
    tensors = (torch.tensor(x) for x in (q, k, v))
    found = flash_attn_varlen_func(
        *tensors, places, places, max(lengths), max(lengths), softmax_scale=scale, causal=causal, window_size=window
    )
    parts = [slice(a, b) for a, b in pairwise(starts)]
    expected = [exact(q[s], k[s], v[s], causal, window, scale or 8**-0.5) for s in parts]
    np.testing.assert_allclose(found.numpy(), np.concatenate(expected), atol=1e-9)


def test_sequences_of_one_length_and_fewer_queries_than_keys():
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(2, length, 2, 8)) for length in (3, 5, 5))
    found = flash_attn_func(*(torch.tensor(x) for x in (q, k, v)), causal=True)
    expected = [exact(q[i], k[i], v[i], True, (-1, -1), 8**-0.5) for i in range(2)]
    np.testing.assert_allclose(found.numpy(), np.stack(expected), atol=1e-9)


def test_what_the_kernel_cannot_do_is_refused():
    q = torch.zeros(2, 1, 8)
    places = torch.tensor([0, 2], dtype=torch.int32)
    for asked in ({"dropout_p": 0.1}, {"softcap": 5.0}, {"s_aux": torch.zeros(1)}):
        with pytest.raises(NotImplementedError, match=f"has no {next(iter(asked))}: install flash-attn"):
            flash_attn_varlen_func(q, q, q, places, places, 2, 2, **asked)


@pytest.mark.parametrize("keys", [4, 2])
def test_a_gpu_is_given_pytorch_s_kernel(keys, monkeypatch):
    """With tensors that have only shapes, and say that they are on a GPU."""
    calls = []
    kernel = packed_attention.varlen_attn
    monkeypatch.setattr(packed_attention, "varlen_attn", lambda *a, **k: calls.append(k) or kernel(*a, **k))
    monkeypatch.setattr(torch.Tensor, "is_cuda", True, raising=False)
    q, k, v = (
        torch.empty(10, heads, 64, device="meta", dtype=torch.bfloat16, requires_grad=True) for heads in (4, keys, keys)
    )
    places = torch.empty(3, device="meta", dtype=torch.int64)
    out = flash_attn_varlen_func(q, k, v, places, places, 6, 6, causal=True)
    assert (out.shape, out.dtype) == (q.shape, torch.bfloat16)
    out.sum().backward()
    assert k.grad.shape == k.shape
    assert [call["window_size"] for call in calls] == [(-1, 0)]  # which the kernel takes for causal


def test_transformers_knows_it_and_would_know_nothing_without():
    assert ALL_ATTENTION_FUNCTIONS[NAME] is ALL_ATTENTION_FUNCTIONS["flash_attention_2"]
    functions = flash._lazy_imports(NAME)
    assert functions[:2] == (flash_attn_func, flash_attn_varlen_func)
    with pytest.raises(ImportError):
        flash._lazy_imports.stock("flash_attention_2")
