import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verl.workers.rollout import utils

from videossr_verl.patches.correctness import unexpanded_prompts
from videossr_verl.patches.correctness.unexpanded_prompts import unexpand_videos

START, END, PAD = 1, 2, 3
_time = st.lists(st.integers(10, 20), min_size=1, max_size=4)
_text = st.lists(st.integers(10, 20), max_size=4)


@st.composite
def _prompts(draw):
    """(expanded ids, ids before): text, images and videos in any order."""
    expanded, before = [], []
    for _ in range(draw(st.integers(0, 4))):
        text = draw(_text)
        expanded += text
        before += text
        if draw(st.booleans()):
            expanded.append(START)
            for _ in range(draw(st.integers(1, 3))):
                expanded += [*draw(_time), START, *[PAD] * draw(st.integers(1, 4)), END]
            expanded.append(END)
            before += [START, PAD, END]
        else:  # an image, placeholder 4
            image = [START, 4, 4, END]
            expanded += image
            before += image
    return expanded, before


@given(_prompts())
def test_undoes_the_expansion_and_nothing_else(prompt):
    expanded, before = prompt
    assert unexpand_videos(expanded, START, END, PAD) == before


@settings(max_examples=300)
@given(st.lists(st.sampled_from([START, END, PAD, 10]), max_size=40))
def test_sampled_brackets_do_no_harm(ids):
    out = unexpand_videos(ids, START, END, PAD)
    assert unexpand_videos(out, START, END, PAD) == out
    assert len(out) <= len(ids)
    if PAD not in ids:
        assert out == ids


def test_real_processor_with_media_of_several_kinds(processor, video):
    qwen = processor("qwen3_vl")
    token = f"{qwen.vision_start_token}{qwen.video_token}{qwen.vision_end_token}"
    image = token.replace(qwen.video_token, qwen.image_token)
    text = f"Clip 1: {token}\nClip 2: {token}{token}{image} order?"
    clips = [video([0.0, 0.3, 1.1, 4.0]), video([0.0, 12.5]), video([0.0, 0.1, 0.2, 0.9, 1.0, 1.1])]
    expanded = qwen(
        text=[text],
        images=[np.zeros((64, 96, 3), np.uint8)],
        videos=[frames for frames, _ in clips],
        video_metadata=[metadata for _, metadata in clips],
        do_sample_frames=False,
    )
    ids = np.asarray(expanded["input_ids"])[0].tolist()
    assert utils.qwen2_5_vl_dedup_image_tokens(ids, qwen) == qwen.tokenizer(text)["input_ids"]


def test_other_families_are_left_to_verl(processor):
    qwen = processor("qwen2_5_vl")
    ids = [5, qwen.video_token_id, qwen.video_token_id, 6]
    assert utils.qwen2_5_vl_dedup_image_tokens(ids, qwen) == [5, qwen.video_token_id, 6]
    assert utils.qwen2_5_vl_dedup_image_tokens([1, 2], None) == [1, 2]


def test_vllm_server_uses_it():
    server = pytest.importorskip("verl.workers.rollout.vllm_rollout.vllm_async_server")
    assert server.qwen2_5_vl_dedup_image_tokens is utils.qwen2_5_vl_dedup_image_tokens
    assert hasattr(server.qwen2_5_vl_dedup_image_tokens, "stock")


def test_a_form_that_cannot_be_undone_is_refused(processor, monkeypatch):
    qwen = processor("qwen3_vl")
    flat = "<1.0 seconds>" + 2 * qwen.video_token
    monkeypatch.setattr(type(qwen), "replace_video_token", lambda self, video_inputs, video_idx: flat)
    unexpanded_prompts.check.cache_clear()
    with pytest.raises(RuntimeError, match="cannot be undone for vLLM"):
        utils.qwen2_5_vl_dedup_image_tokens([1], qwen)
    unexpanded_prompts.check.cache_clear()


def test_stock_verl_still_needs_it(processor, video):
    qwen = processor("qwen3_vl")
    text = f"{qwen.vision_start_token}{qwen.video_token}{qwen.vision_end_token}"
    frames, metadata = video([0.0, 0.5, 1.0, 1.5])
    expanded = qwen(text=[text], videos=[frames], video_metadata=[metadata], do_sample_frames=False)
    ids = np.asarray(expanded["input_ids"])[0].tolist()
    sent = utils.qwen2_5_vl_dedup_image_tokens.stock(ids, qwen)
    assert sent != qwen.tokenizer(text)["input_ids"], (
        "upstream fixed this: remove videossr_verl/patches/correctness/unexpanded_prompts.py"
    )
