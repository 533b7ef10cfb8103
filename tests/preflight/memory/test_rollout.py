"""vLLM's part, against numbers worked out by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_models import KNOWN_MODELS

from videossr_verl.preflight.memory.gpus import find_gpu
from videossr_verl.preflight.memory.parameters import count_parameters
from videossr_verl.preflight.memory.rollout import kv_token_bytes, plan_rollout
from videossr_verl.preflight.memory.shapes import model_shape

EIGHT = "Qwen/Qwen3-VL-8B-Instruct"


@pytest.mark.parametrize(
    ("name", "tensor", "bytes_by_hand"),
    [
        (EIGHT, 1, 2 * 36 * 8 * 128 * 2),  # keys and values, layers, heads, head size, bf16: 144 KiB
        (EIGHT, 4, 2 * 36 * 2 * 128 * 2),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 1, 57_344),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 4, 14_336),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 7, 14_336),  # 4 heads on 7 GPUs: some hold the same one
        ("Qwen/Qwen2.5-VL-3B-Instruct", 8, 2 * 36 * 1 * 128 * 2),
    ],
)
def test_bytes_of_a_cached_token(plan_of, name, tensor, bytes_by_hand):
    rollout = replace(plan_of().run.rollout, tensor_parallel=tensor)
    assert kv_token_bytes(model_shape(name), rollout) == bytes_by_hand


@given(st.sampled_from(KNOWN_MODELS), st.sampled_from([1, 2, 4, 8]), st.floats(0.1, 1.0))
def test_the_parts_make_the_budget(plan_of, name, tensor, share):
    shape, gpu = model_shape(name), find_gpu("h200")
    counts, settings = count_parameters(shape), plan_of().run.rollout
    plan = plan_rollout(shape, counts, replace(settings, tensor_parallel=tensor, utilization=share), gpu)
    assert plan.weights + plan.working + plan.cache == plan.budget <= gpu.memory
    assert plan.weights * tensor == pytest.approx(2 * counts.total, rel=1e-6)
    assert 0 <= plan.cache_tokens * plan.token_bytes <= max(0, plan.cache)


def test_the_trial_run_takes_the_largest_image_however_small_the_batch(plan_of):
    plan = plan_of()
    one, other = (replace(plan.run.rollout, batched_tokens=tokens) for tokens in (4096, 8192))
    small, usual = (plan_rollout(plan.shape, plan.parameters, r, plan.gpu).working for r in (one, other))
    assert small == usual
    # Qwen3-VL-8B by hand: 16,384 tokens of 4 patches each, 8 x 1152 + 3 x 4304 numbers a patch, bf16.
    assert usual >= 4 * 16_384 * (8 * 1152 + 3 * 4304) * 2


def test_without_chunked_prefill_a_batch_holds_the_longest_request(plan_of):
    plan = plan_of()
    whole = replace(plan.run.rollout, chunked_prefill=False)
    unlimited = replace(whole, max_model_len=None)
    short, long = (plan_rollout(plan.shape, plan.parameters, r, plan.gpu) for r in (whole, unlimited))
    assert (short.max_model_len, long.max_model_len) == (10240, 262144)
    assert long.working > 10 * short.working >= 10 * plan.rollout.working
