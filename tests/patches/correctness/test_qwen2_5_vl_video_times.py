import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("vllm")
from vllm.config import ModelConfig
from vllm.model_executor.models import qwen2_5_vl
from vllm.multimodal import MULTIMODAL_REGISTRY
from vllm.multimodal.processing import ProcessorInputs, TimingContext

from videossr_verl import vllm_plugin
from videossr_verl.patches.correctness import qwen2_5_vl_video_times


@pytest.fixture(scope="module")
def bf16_processor(checkpoint):
    """vLLM's multimodal processor for a model in bf16, as on a GPU; no engine is started."""
    vllm_plugin.register()
    folder = str(checkpoint("qwen2_5_vl"))
    config = ModelConfig(folder, dtype="bfloat16", max_model_len=2048, limit_mm_per_prompt={"video": 3})
    return MULTIMODAL_REGISTRY.create_processor(config)


def _vllm_seconds(vllm_processor, videos):
    token = vllm_processor.info.get_hf_processor().video_token_id
    inputs = ProcessorInputs(
        prompt=[5, *[token] * len(videos), 6],
        mm_data_items=vllm_processor.info.parse_mm_data({"video": videos}),
    )
    items = vllm_processor.apply(inputs, TimingContext(enabled=False))["mm_kwargs"]["video"]
    return torch.stack([item["second_per_grid_ts"].data for item in items])


def _trainer_seconds(processor, videos):
    inputs = processor(
        text=[processor.video_token * len(videos)],
        videos=[frames for frames, _ in videos],
        video_metadata=[metadata for _, metadata in videos],
        do_sample_frames=False,
        return_tensors="pt",
    )
    return inputs["second_per_grid_ts"]


@settings(max_examples=25)
@given(st.lists(st.lists(st.floats(0.02, 5), min_size=1, max_size=7), min_size=1, max_size=3))
def test_both_sides_have_the_same_seconds(bf16_processor, processor, video, gaps_per_video):
    times = [np.cumsum([0.0, *gaps]).tolist() for gaps in gaps_per_video]
    videos = [video(t, seed, 28, 28) for seed, t in enumerate(times)]
    ours = _vllm_seconds(bf16_processor, videos)
    theirs = _trainer_seconds(processor("qwen2_5_vl"), videos)
    assert ours.dtype == theirs.dtype == torch.float32
    assert torch.equal(ours, theirs)
    true = [2 * (t[-1] - t[0]) / (len(t) - 1) for t in times]
    # Metadata is in whole milliseconds.
    assert ours.tolist() == pytest.approx(true, abs=2e-3)


def test_same_frames_at_another_rate_are_another_video(bf16_processor, video):
    frames, slow = video([0.0, 1.0, 2.0, 3.0])
    _, fast = video([0.0, 0.1, 0.2, 0.3])
    videos = [(frames, slow), (frames, fast)]
    assert _vllm_seconds(bf16_processor, videos).tolist() == pytest.approx([2.0, 0.2])
    # vLLM's cache of processed videos tells them apart by what is hashed.
    hashed = bf16_processor.info.parse_mm_data({"video": videos})["video"].get_all_items_for_hash()
    assert [metadata for _, metadata in hashed] == [slow, fast]


def test_bare_frames_mean_24_per_second_as_before(bf16_processor, video):
    frames, _ = video([0.0, 1.0, 2.0, 3.0])
    assert _vllm_seconds(bf16_processor, [frames]).tolist() == pytest.approx([2 / 24])


def test_registering_twice_changes_nothing(bf16_processor):
    model = qwen2_5_vl.Qwen2_5_VLForConditionalGeneration
    factories = model._processor_factory
    vllm_plugin.register()
    qwen2_5_vl_video_times.register_timed_processor(qwen2_5_vl)
    assert model._processor_factory is factories
    assert factories.processor is not qwen2_5_vl.Qwen2_5_VLMultiModalProcessor


def test_stock_vllm_still_needs_it(bf16_processor, video):
    stock = qwen2_5_vl.Qwen2_5_VLProcessingInfo(bf16_processor.info.ctx)
    item = stock.get_data_parser().parse_mm_data({"video": [video([0.0, 0.5])]})["video"].get(0)
    assert not isinstance(item, tuple), (
        "upstream keeps the metadata: remove videossr_verl/patches/correctness/qwen2_5_vl_video_times.py, "
        "unless second_per_grid_ts is still rounded to the model's dtype"
    )
