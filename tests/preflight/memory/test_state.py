"""What lasts on a GPU or in host memory: exact, and moved by offloading without getting more or less."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from known_models import KNOWN_MODELS
from transformers import AutoModelForImageTextToText

from videossr_verl.preflight.memory.activations import Load
from videossr_verl.preflight.memory.gpus import GIB
from videossr_verl.preflight.memory.host import plan_host
from videossr_verl.preflight.memory.parameters import count_parameters
from videossr_verl.preflight.memory.prompts import Prompt
from videossr_verl.preflight.memory.run_settings import Engine, MicroBatch
from videossr_verl.preflight.memory.shapes import model_shape
from videossr_verl.preflight.memory.trainer import gathered, load, on_gpu_in_update, on_gpu_while_idle, trained_state

TINY = "recipes/tiny/qwen2_5_vl"
ENGINE = Engine(4, 2, param_offload=False, optimizer_offload=False, always_offloaded=False, fsdp_size=-1, reshard=True)
models = st.sampled_from(KNOWN_MODELS).map(model_shape)
gpus = st.integers(1, 512)


def test_one_step_of_adam_on_the_tiny_model():
    model = AutoModelForImageTextToText.from_pretrained(TINY, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()

    def size(tensors):
        return sum(tensor.nbytes for tensor in tensors)

    state = trained_state(count_parameters(model_shape(TINY)), ENGINE, 1)
    assert state.weights == size(model.parameters())
    assert state.gradients == size(parameter.grad for parameter in model.parameters())
    moments = [s[name] for s in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    assert state.optimizer == size(moments)


@given(models, gpus, gpus)
def test_more_gpus_never_hold_more_each(shape, fewer, more):
    counts = count_parameters(shape)
    small, large = (trained_state(counts, ENGINE, count) for count in sorted((fewer, more)))
    assert large.total <= small.total
    assert abs(small.weights * min(fewer, more) - counts.total * 4) < 4 * min(fewer, more)


@given(st.sampled_from([(False, False), (True, False), (False, True), (True, True)]), st.booleans())
def test_offloading_moves_bytes_to_the_host(plan_of, offloads, policy):
    plan = plan_of()
    engine = replace(ENGINE, param_offload=offloads[0], optimizer_offload=offloads[1], always_offloaded=policy)
    run = replace(plan.run, actor=engine)
    on_host = plan_host(run, plan.shape, plan.parameters, plan.prompts.longest).actor
    on_gpus = on_gpu_while_idle(plan.state, engine).total * run.gpus
    gradients = plan.state.gradients * run.gpus if policy else 0  # others have none while they are idle
    assert on_host + on_gpus == (plan.state.weights + plan.state.optimizer) * run.gpus + gradients
    assert on_gpu_in_update(plan.state, engine).total == (0 if policy else plan.state.total)


def test_an_adapter_has_the_only_gradients(plan_of):
    whole, adapter = plan_of(), plan_of("qwen3_vl_8b", "1x8", "h100", "option=[lora]")
    assert adapter.state.gradients * 8 // 4 == adapter.parameters.adapter < 0.03 * whole.parameters.total
    assert adapter.state.weights > whole.state.weights
    assert adapter.run.reference is None
    assert adapter.host.reference == 0
    # vLLM keeps the base weights while it sleeps, which nobody would send again.
    assert adapter.host.sleeping == 8 * 2 * (adapter.parameters.total - adapter.parameters.adapter)


def test_separate_async_saves_versions(plan_of):
    """tests/e2e/test_grpo_recipe.py trains with two; the config's are fp32."""
    plan = plan_of("qwen3_vl_32b", "2x8", "h200", "option=[separate_async]")
    assert plan.host.saved == pytest.approx(4 * plan.parameters.total / 2, rel=1e-6)
    two = plan_of(
        "qwen3_vl_32b", "2x8", "h200", "option=[separate_async]", "trainer.v1.separate_async.parameter_sync_step=4"
    )
    assert two.host.saved == 2 * plan.host.saved
    bypass = plan_of(
        "qwen3_vl_32b", "2x8", "h200", "option=[separate_async]", "algorithm.rollout_correction.bypass_mode=true"
    )
    assert bypass.host.saved == plan_of("qwen3_vl_32b", "2x8", "h200").host.saved == 0


def test_the_reference_waits_in_host_memory(plan_of):
    """verl gives a model that is only run FSDP2's offload policy, in the fp32 of the config."""
    assert plan_of().host.reference == pytest.approx(4 * 8_767_123_696, rel=1e-6)
    assert plan_of(*("qwen3_vl_8b", "1x8", "h100"), "actor_rollout_ref.actor.use_kl_loss=false").host.reference == 0


@pytest.mark.parametrize("name", KNOWN_MODELS)
def test_gathered_is_less_than_the_whole_model(name):
    shape = model_shape(name)
    counts = count_parameters(shape)
    one_pass = gathered(shape, counts, ENGINE, training=False)
    assert 2 * (counts.layer + counts.root) < one_pass < 2 * counts.total
    assert one_pass < gathered(shape, counts, ENGINE, training=True)
    assert gathered(shape, counts, replace(ENGINE, reshard=False), training=False) == 2 * counts.total


@given(st.integers(1, 8), st.integers(500, 9000), st.sampled_from([1, 2, 4]))
def test_a_micro_batch(plan_of, samples, tokens, parallel):
    run = replace(plan_of().run, sequence_parallel=parallel, shares_prompts=False)
    prompt = Prompt(tokens, tokens // 2, 2 * tokens, 0, 0)
    longest = tokens + run.answer_length
    by_samples = load(run, MicroBatch(samples, None), prompt)
    assert by_samples.tokens == -(-samples * longest // parallel)
    assert by_samples.patches == samples * prompt.patches
    by_tokens = load(run, MicroBatch(None, 16384), prompt)
    assert by_tokens.tokens == -(-max(16384 * parallel, longest) // parallel)
    assert (by_samples.predicting, by_tokens.predicting) == (by_samples.tokens, by_tokens.tokens)


@pytest.mark.parametrize(
    ("prompts", "samples", "at_once"), [(64, 8, 1), (64, 2, 1), (64, 16, 2), (64, 6, 2), (60, 8, 2), (60, 1, 1)]
)
def test_a_micro_batch_that_shares_prompts(plan_of, prompts, samples, at_once):
    """8 GPUs and 8 answers a prompt: groups that do not divide among GPUs, or micro batches, take one more prompt."""
    run = replace(plan_of().run, mini_batch=prompts)
    assert run.shares_prompts
    prompt = Prompt(8192, 8000, 20_000, 0, 0)
    answers = samples * run.answer_length
    assert load(run, MicroBatch(samples, None), prompt) == Load(at_once * 8192 + answers, at_once * 20_000, answers)
    by_tokens = load(run, MicroBatch(None, 16384), prompt)
    assert (by_tokens.tokens, by_tokens.predicting) == (16384, 16384 - 8192)
    assert not plan_of(*("qwen3_vl_8b", "1x8", "h100"), "option=[ulysses]").run.shares_prompts


def test_pixels_of_a_step(plan_of):
    """64 prompts of at most 48 frames of 256 x 256: frames once, patches once, and what making them takes."""
    frames = 48 * 256 * 256 * 3
    assert plan_of().host.media == 64 * (7 * frames + frames)
    assert plan_of("qwen3_vl_8b", "2x8").host.media == 32 * 8 * frames
    assert plan_of().host.media < 5 * GIB
    # The next batch is answered meanwhile.
    ahead = plan_of("qwen3_vl_8b", "1x8", "h100", "option=[colocate_async]")
    assert ahead.host.media == 2 * plan_of().host.media
