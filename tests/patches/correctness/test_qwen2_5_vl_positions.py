import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Qwen2_5_VLModel
from verl.experimental.agent_loop import agent_loop
from verl.utils import hf_processor
from verl.workers.config import model as model_config

TEXT, IMAGE, VIDEO = 0, 1, 2


@pytest.fixture(scope="module")
def qwen(processor):
    return processor("qwen2_5_vl")


def _prompt(qwen, parts):
    """parts: (kind, number of tokens) -> ids and kinds, (1, L) each."""
    kinds = [kind for kind, count in parts for _ in range(count)]
    token = {TEXT: 7, IMAGE: qwen.image_token_id, VIDEO: qwen.video_token_id}
    return torch.tensor([[token[k] for k in kinds]]), torch.tensor([kinds])


def _positions(qwen, parts, images=(), videos=(), seconds=(), **kwargs):
    ids, kinds = _prompt(qwen, parts)
    positions, delta = qwen.get_rope_index(
        ids,
        mm_token_type_ids=kinds,
        image_grid_thw=torch.tensor(images) if images else None,
        video_grid_thw=torch.tensor(videos) if videos else None,
        second_per_grid_ts=torch.tensor(seconds) if seconds else None,
        **kwargs,
    )
    return positions[:, 0], int(delta)


def test_time_axis_counts_seconds_and_text_goes_on_after_it(qwen):
    # 3 grids of 1 x 2 tokens, 0.75 s apart, 2 time steps a second: 0, 1.5 -> 1, 3.
    positions, delta = _positions(qwen, [(TEXT, 2), (VIDEO, 6), (TEXT, 2)], videos=[[3, 2, 4]], seconds=[0.75])
    assert positions[0].tolist() == [0, 1, 2, 2, 3, 3, 5, 5, 6, 7]
    assert positions[1].tolist() == [0, 1, 2, 2, 2, 2, 2, 2, 6, 7]
    assert positions[2].tolist() == [0, 1, 2, 3, 2, 3, 2, 3, 6, 7]
    assert delta == 7 + 1 - 10


def test_adjacent_media_and_images(qwen):
    # Two videos without a token between them, then an image whose time axis stands still.
    positions, _ = _positions(
        qwen,
        [(VIDEO, 4), (TEXT, 1), (IMAGE, 2)],
        images=[[1, 2, 4]],
        videos=[[2, 2, 2], [2, 2, 2]],
        seconds=[1.0, 2.0],
    )
    assert positions[0].tolist() == [0, 2, 3, 7, 8, 9, 9]


def test_padding_keeps_position_zero(qwen):
    parts = [(TEXT, 2), (VIDEO, 2), (TEXT, 1)]
    bare, delta = _positions(qwen, parts, videos=[[2, 2, 2]], seconds=[0.5])
    ids, _ = _prompt(qwen, parts)
    padded, padded_delta = qwen.get_rope_index(
        torch.cat([torch.full((1, 3), 3), ids], dim=1),
        video_grid_thw=torch.tensor([[2, 2, 2]]),
        second_per_grid_ts=torch.tensor([0.5]),
        attention_mask=torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1]]),
    )
    assert torch.equal(padded[:, 0, 3:], bare)
    assert not padded[:, 0, :3].any()
    assert int(padded_delta) == delta


def test_text_only(qwen):
    positions, delta = _positions(qwen, [(TEXT, 4)])
    assert positions.tolist() == [[0, 1, 2, 3]] * 3
    assert delta == 0


def test_a_sampled_placeholder_is_named(qwen):
    with pytest.raises(ValueError, match="more video placeholders than there are videos"):
        _positions(qwen, [(VIDEO, 2), (TEXT, 1), (VIDEO, 1)], videos=[[2, 2, 2]], seconds=[1.0])


@settings(max_examples=100)
@given(st.integers(1, 64), st.floats(0.01, 60))
def test_time_steps_are_vllm_s_floor(qwen, num_grids, seconds):
    positions, _ = _positions(qwen, [(VIDEO, num_grids)], videos=[[num_grids, 2, 2]], seconds=[seconds])
    factor = torch.tensor(seconds).item() * qwen.config.vision_config.tokens_per_second
    assert positions[0].tolist() == (np.arange(num_grids) * factor).astype(np.int64).tolist()


def test_verl_s_modules_use_it(qwen):
    assert model_config.hf_processor is hf_processor
    assert hasattr(hf_processor, "stock")
    stub = object.__new__(agent_loop.AgentLoopWorker)
    stub.processor = qwen
    ids, kinds = _prompt(qwen, [(TEXT, 1), (VIDEO, 2), (TEXT, 1)])
    inputs = {
        "video_grid_thw": torch.tensor([[2, 2, 2]]),
        "second_per_grid_ts": torch.tensor([1.75]),
        "mm_token_type_ids": kinds,
    }
    positions = stub._compute_position_ids(ids, torch.ones_like(ids), inputs)
    assert positions[0, 1].tolist() == [0, 1, 4, 5]


def test_other_processors_are_left_alone(processor):
    assert not hasattr(processor("qwen3_vl"), "get_rope_index_kwargs")


def test_stock_verl_still_needs_it(checkpoint, qwen):
    stock = hf_processor.stock(str(checkpoint("qwen2_5_vl")))
    parts = [(TEXT, 2), (VIDEO, 6), (TEXT, 2)]
    ids, kinds = _prompt(qwen, parts)
    args = {"mm_token_type_ids": kinds, "video_grid_thw": torch.tensor([[3, 2, 4]])}
    # What verl hands over by itself, and what transformers makes of the true seconds.
    seconds = {"second_per_grid_ts": torch.tensor([0.75])}
    times = getattr(stock, "get_rope_index_kwargs", lambda inputs: {})(seconds)
    stock_positions, _ = stock.get_rope_index(ids, **args, **times)
    hf_positions, _ = Qwen2_5_VLModel.get_rope_index(stock, ids, **args, **seconds)
    right, _ = qwen.get_rope_index(ids, **args, **seconds)
    fixed = torch.equal(stock_positions, right) and torch.equal(hf_positions, right)
    assert not fixed, "upstream fixed this: remove videossr_verl/patches/correctness/qwen2_5_vl_positions.py"
