"""Estimates against torch's own accounting: real layers of full width run without memory, and it adds up what is held.

It says that no tensor was forgotten; what a GPU's kernels and allocator add is not in it. And against what one rank
took on an H200 (recipes/README.md).
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as qwen2_5
from transformers.models.qwen3_vl import modeling_qwen3_vl as qwen3

from videossr_verl.preflight.memory import trainer
from videossr_verl.preflight.memory.activations import (
    Load,
    entropy_bytes,
    inference_activations,
    saved_by_block,
    saved_by_layer,
    update_activations,
    working_in_layer,
)
from videossr_verl.preflight.memory.gpus import GIB
from videossr_verl.preflight.memory.parameters import count_parameters
from videossr_verl.preflight.memory.prompts import Prompt
from videossr_verl.preflight.memory.shapes import model_shape

TOKENS = 4096
MODELS = ("Qwen/Qwen2.5-VL-7B-Instruct", "Qwen/Qwen3-VL-8B-Instruct", "Qwen/Qwen3-VL-4B-Instruct")
EIGHT = model_shape(MODELS[1])
FUSED = ("use_fused_kernels=true", "fused_kernel_options.impl_backend=torch")


class LikeFlash(torch.autograd.Function):
    """Keeps what flash-attention keeps: its inputs, its output and a float32 for each query and head."""

    @staticmethod
    def forward(ctx, q, k, v):
        out = q.new_empty(q.shape[0], q.shape[2], q.shape[1], q.shape[3])
        ctx.save_for_backward(q, k, v, out, torch.empty(q.shape[:3], dtype=torch.float32))
        return out

    @staticmethod
    def backward(ctx, grad):
        return tuple(torch.empty_like(tensor) for tensor in ctx.saved_tensors[:3])


def attention(module, q, k, v, attention_mask=None, **_):
    if isinstance(module, qwen2_5.Qwen2_5_VLAttention):  # as verl's own forward of it does
        k, v = (tensor.repeat_interleave(module.num_key_value_groups, 1) for tensor in (k, v))
    return LikeFlash.apply(q, k, v), None


def language_model(shape, layers):
    text = shape.text
    words = {"hidden_size": text.hidden, "intermediate_size": text.intermediate, "num_hidden_layers": layers}
    words |= {"num_attention_heads": text.heads, "num_key_value_heads": text.kv_heads, "vocab_size": 8}
    words |= {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 1}
    if shape.model_type == "qwen2_5_vl":
        words["rope_parameters"] = {"mrope_section": [16, 24, 24], "rope_type": "default", "rope_theta": 1e6}
        model, config = qwen2_5.Qwen2_5_VLTextModel, qwen2_5.Qwen2_5_VLTextConfig(**words)
    else:
        model, config = qwen3.Qwen3VLTextModel, qwen3.Qwen3VLTextConfig(**words, head_dim=text.head_dim)
    config._attn_implementation = "like_fa"
    torch.set_default_dtype(torch.bfloat16)
    try:
        return model(config).train()
    finally:
        torch.set_default_dtype(torch.float32)


def held(shape, layers, *, checkpointing):
    """Bytes of activations after the forward pass, and of those with all temporaries at the worst moment."""
    ALL_ATTENTION_FUNCTIONS["like_fa"] = attention
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = language_model(shape, layers)
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        embedded = torch.empty(1, TOKENS, shape.text.hidden, dtype=torch.bfloat16, requires_grad=True)
        tracker = MemTracker()
        tracker.track_external(model, embedded)
        with tracker:
            mask = {"full_attention": None} if shape.model_type == "qwen2_5_vl" else None
            places = torch.zeros(3, 1, TOKENS, dtype=torch.long)
            out = model(inputs_embeds=embedded, position_ids=places, attention_mask=mask, use_cache=False)[0]
            after = tracker.get_tracker_snapshot("current")
            out.backward(torch.empty_like(out))
        return activations(after), activations(tracker.get_tracker_snapshot("peak"))


def activations(snapshot):
    (of_cpu,) = snapshot.values()
    return sum(size for kind, size in of_cpu.items() if getattr(kind, "value", kind) in ("Activation", "Temp"))


@pytest.mark.parametrize("name", MODELS)
def test_one_layer(name):
    shape = model_shape(name)
    (two, peak), (three, _) = (held(shape, layers, checkpointing=False) for layers in (2, 3))
    assert TOKENS * saved_by_layer(shape) == pytest.approx(three - two, rel=0.01)
    assert TOKENS * working_in_layer(shape) >= peak - two


@pytest.mark.parametrize("name", MODELS)
def test_checkpointing(name):
    shape = model_shape(name)
    (two, peak), (three, _) = (held(shape, layers, checkpointing=True) for layers in (2, 3))
    assert three - two == TOKENS * 2 * shape.text.hidden
    ours = TOKENS * (2 * 2 * shape.text.hidden + saved_by_layer(shape) + working_in_layer(shape))
    assert peak <= ours <= 1.15 * peak


@pytest.mark.parametrize("name", MODELS)
def test_one_block_of_the_tower(name):
    """bf16 weights without autocast, which on a GPU keeps the layer norms' inputs in fp32 too: so ours is more."""
    shape, kept = model_shape(name), {}
    ALL_ATTENTION_FUNCTIONS["like_fa"] = attention
    vision = {"hidden_size": shape.vision.hidden, "intermediate_size": shape.vision.intermediate, "num_heads": 16}
    if shape.model_type == "qwen2_5_vl":
        kind, config = qwen2_5.Qwen2_5_VLVisionBlock, qwen2_5.Qwen2_5_VLVisionConfig(**vision)
    else:
        kind, config = qwen3.Qwen3VLVisionBlock, qwen3.Qwen3VLVisionConfig(**vision)
    config._attn_implementation = "like_fa"
    block = kind(config).bfloat16()
    weights = {parameter.untyped_storage()._cdata for parameter in block.parameters()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage
        return tensor

    angles = torch.zeros(64, shape.vision.hidden // 16)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        patches = torch.zeros(64, shape.vision.hidden, dtype=torch.bfloat16, requires_grad=True)
        block(patches, cu_seqlens=torch.tensor([0, 64], dtype=torch.int32), position_embeddings=(angles, angles))
    measured = sum(storage.nbytes() for storage in kept.values()) / 64
    assert measured <= saved_by_block(shape) <= 1.3 * measured


def both(load, **options):
    counts = count_parameters(EIGHT)
    options = {"fused": False, "entropy": 0} | options
    checkpointing = options.pop("checkpointing", True)
    return (
        update_activations(EIGHT, counts, load, checkpointing=checkpointing, **options),
        inference_activations(EIGHT, counts, load, **options),
    )


@given(st.integers(1, 200_000), st.integers(0, 50_000), st.integers(0, 100_000), st.booleans(), st.booleans())
def test_more_tokens_or_patches_never_take_less(tokens, more, patches, fused, checkpointing):
    options = {"fused": fused, "checkpointing": checkpointing}
    for less, larger in zip(
        both(Load(tokens, patches, tokens), **options),
        both(Load(tokens + more, patches + more, tokens + more), **options),
        strict=True,
    ):
        assert less.peak <= larger.peak
        assert less.logits <= larger.logits


@given(st.integers(1, 200_000), st.integers(0, 100_000))
def test_checkpointing_never_takes_more_and_an_inference_less(tokens, patches):
    update, inference = both(Load(tokens, patches, tokens))
    assert update.peak <= both(Load(tokens, patches, tokens), checkpointing=False)[0].peak
    assert inference.peak <= update.peak


def test_logits():
    """bf16, of every state that reaches the output layer, unless a fused kernel makes them chunk by chunk."""
    assert both(Load(20_000, 0, 10_000))[0].logits == 10_000 * 151_936 * 2
    assert both(Load(20_000, 0, 10_000), fused=True)[0].logits == both(Load(90_000, 0, 90_000), fused=True)[0].logits
    assert entropy_bytes(wanted=True, compiled=True) == 0
    assert both(Load(10, 0, 10), entropy=entropy_bytes(wanted=True, compiled=False))[0].logits == 10 * 151_936 * 14


def test_pixels():
    """fp32 patches of 3 colours, 2 frames and 16 x 16 pixels stay during a micro batch, forward or backward."""
    for with_patches, without in zip(both(Load(10, 1000, 10)), both(Load(10, 0, 10)), strict=True):
        blocks = with_patches.kept - without.kept - 1000 * 3 * 2 * 16 * 16 * 4
        assert blocks in (0, 1000 * 2 * EIGHT.vision.hidden * EIGHT.vision.depth)


@pytest.mark.parametrize(
    ("model", "overrides", "reference", "old", "update"),
    [("qwen2_5_vl_7b", (), 27.5, 31.4, 82.8), ("qwen3_vl_8b", FUSED, 16.9, 21.0, 89.2)],
)
def test_one_rank_on_an_h200(plan_of, model, overrides, reference, old, update):
    """GiB at the peak of verl's own worker as one rank of 8: 8 answers of 2,048 tokens to 8,192 with a long video. Each
    answer's prompt was computed.
    """
    stock = "actor_rollout_ref.actor.shared_prompts=false"
    plan = plan_of(model, "1x8", "h200", stock, *(f"actor_rollout_ref.model.{one}" for one in overrides))
    run, shape, counts, state = plan.run, plan.shape, plan.parameters, plan.state
    prompt = Prompt(tokens=8192, vision_tokens=7776, patches=31_104, frame_bytes=0, patch_bytes=0)
    load = trainer.load(run, run.reference_log_prob, prompt)
    forward, training = (trainer.gathered(shape, counts, run.actor, training=trains) for trains in (False, True))
    alone = inference_activations(shape, counts, load, fused=run.fused is not None, entropy=0).peak
    ours = (
        forward + alone,
        state.weights + forward + trainer.log_probs_of(run, shape, counts, prompt).peak,
        state.total + training + trainer.update_of(run, shape, counts, prompt).peak,
    )
    assert (reference, old, update) == tuple(pytest.approx(size / GIB, rel=0.07) for size in ours)
