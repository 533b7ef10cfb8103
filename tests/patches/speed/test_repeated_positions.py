"""Positions continued from a prompt's are those of stock verl, for any answer and any media."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from verl.experimental.agent_loop.agent_loop import AgentLoopWorker
from verl.workers.rollout.utils import get_vision_placeholder_token_ids

from videossr_verl.patches.speed.repeated_positions import REMEMBERED

WORD = 300  # no special token
TEXT = st.lists(st.integers(WORD, WORD + 60), max_size=6)
# (t, h, w) in tokens, seconds per grid
VIDEOS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.floats(0.1, 4)), max_size=3)


def stub(processor):
    worker = object.__new__(AgentLoopWorker)
    worker.processor = processor
    return worker


def expand(family, processor, videos, texts):
    """Token ids and trainer inputs of a prompt with these videos, each after a text."""
    brackets = ["<|vision_start|>", "<|vision_end|>", "<|video_pad|>"]
    start, end, pad = processor.tokenizer.convert_tokens_to_ids(brackets)
    ids = []
    for (t, h, w, _), text in zip(videos, texts, strict=True):
        if family == "qwen2_5_vl":
            ids += [*text, start, *[pad] * (t * h * w), end]
        else:
            ids += text
            for _ in range(t):
                ids += [WORD, start, *[pad] * (h * w), end]
    inputs = {"mm_token_type_ids": torch.zeros(1)}
    if videos:
        inputs["video_grid_thw"] = torch.tensor([[t, 2 * h, 2 * w] for t, h, w, _ in videos])
        if family == "qwen2_5_vl":
            inputs["second_per_grid_ts"] = torch.tensor([s for *_, s in videos])
    return ids, inputs


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
@settings(max_examples=60)
@given(data=st.data(), videos=VIDEOS)
def test_equal_to_stock(family, processor, data, videos):
    qwen = processor(family)
    texts = [data.draw(TEXT) for _ in videos]
    prompt, inputs = expand(family, qwen, videos, texts)
    ours, theirs = stub(qwen), stub(qwen)
    for _ in range(3):  # the second and third go on from what is remembered
        ids = torch.tensor([[*prompt, *data.draw(TEXT), WORD]])
        mask = torch.ones_like(ids)
        mine, stock = dict(inputs), dict(inputs)
        positions = ours._compute_position_ids(ids, mask, mine)
        assert torch.equal(positions, AgentLoopWorker._compute_position_ids.stock(theirs, ids, mask, stock))
        assert positions.dtype == torch.long
        assert mine.keys() == stock.keys()


def test_once_for_all_rollouts_and_bounded(processor, monkeypatch):
    qwen = processor("qwen3_vl")
    worker, calls = stub(qwen), []
    stock = qwen.get_rope_index
    monkeypatch.setattr(qwen, "get_rope_index", lambda **inputs: calls.append(1) or stock(**inputs))
    for prompt in range(REMEMBERED + 3):
        ids, inputs = expand("qwen3_vl", qwen, [(2, 1, 1, 1.0)], [[WORD + prompt]])
        for answer in ([WORD], [WORD, WORD]):
            tokens = torch.tensor([[*ids, *answer]])
            worker._compute_position_ids(tokens, torch.ones_like(tokens), dict(inputs))
    assert len(calls) == REMEMBERED + 3
    assert len(worker._prompt_positions) == REMEMBERED


def test_another_rate_is_not_taken_for_the_same(processor):
    qwen = processor("qwen2_5_vl")
    worker, seen = stub(qwen), []
    for seconds in (0.5, 2.0):
        ids, inputs = expand("qwen2_5_vl", qwen, [(3, 1, 1, seconds)], [[WORD]])
        tokens = torch.tensor([[*ids, WORD]])
        seen.append(worker._compute_position_ids(tokens, torch.ones_like(tokens), inputs))
    assert not torch.equal(*seen)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_a_sampled_placeholder_is_banned_and_would_be_named(family, processor):
    qwen = processor(family)
    pad, image = qwen.video_token_id, qwen.image_token_id
    assert {pad, image} <= set(get_vision_placeholder_token_ids(qwen))  # verl's rollout server never samples these
    ids, inputs = expand(family, qwen, [(2, 1, 1, 1.0)], [[WORD]])
    tokens = torch.tensor([[*ids, WORD, pad]])
    with pytest.raises(ValueError, match="was one sampled"):
        stub(qwen)._compute_position_ids(tokens, torch.ones_like(tokens), inputs)
