"""Qwen2.5-VL: absolute time stands in the M-RoPE positions, on an even axis that begins anew with each video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from videossr_verl.families.processor import MediaProcessor, Processor
from videossr_verl.families.shape import ModelShape, vision_fields

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast, ProcessorMixin

MODEL_TYPES = ("qwen2_5_vl",)
PROCESSOR = "Qwen2_5_VLProcessor"
FACTOR = 28
TOKENS_OF_A_TIME = 0
TEXT_GOES_ON = True
TEXT = {"qkv_bias": True, "qk_norm": False}
VISION = {"gated_mlp": True, "layer_norms": False, "stem_bias": False}
TEXT_ARCHITECTURE = None
TINY_TEXT = {"mrope_section": [4, 6, 6]}
# tokens_per_second is 2 in the released models, 4 in the config class.
TINY_VISION = {"patch_size": 14, "fullatt_block_indexes": [0, 1, 2], "window_size": 112, "tokens_per_second": 2}


def resize_limits(video_processor: MediaProcessor, frames: int) -> dict[str, int]:
    """Returns the processor's limits of H * W, pixels."""
    size = video_processor.size
    return {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}


def shown_times(
    ids: Sequence[int], positions: torch.Tensor, grids: Sequence[Sequence[int]], processor: Processor
) -> list[list[float]]:
    """Returns the time axis of the positions (3, L), from 0 for each video of (t, h, w) patches."""
    rate = processor.config.vision_config.tokens_per_second
    of_video = [token == processor.video_token_id for token in ids]
    starts = [i for i, inside in enumerate(of_video) if inside and (i == 0 or not of_video[i - 1])]
    merge, at, times = processor.video_processor.merge_size, 0, []
    for t, h, w in grids:
        length = t * h * w // merge**2
        start = max(at, next(s for s in [*starts, at] if s >= at))
        axis = positions[0][start : start + length].reshape(t, -1)[:, 0]
        times.append(((axis - axis[0]) / rate).tolist())
        at = start + length
    return times


def true_times(clock: Sequence[float]) -> list[float]:
    """Returns steps of two mean intervals from 0. (Where these say too little, the prompt tells the times in words.)"""
    step = 2 * (clock[-1] - clock[0]) / (len(clock) - 1) if len(clock) > 1 else 0.0
    return [i * step for i in range((len(clock) + 1) // 2)]


def time_resolution(processor: Processor) -> float:
    """Returns the seconds of one position, since positions are rounded down."""
    return 1 / processor.config.vision_config.tokens_per_second


def vision_shape(vision: Any) -> dict[str, int]:
    """Reads a Qwen2_5_VLVisionConfig."""
    return vision_fields(vision)


def model_classes(model_type: str) -> tuple[type, type]:
    """Returns the classes of the config and of the model."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    return Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration


def released_config(shape: ModelShape) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the rotary settings of the text, and the rate of the time axis."""
    rope = {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6}
    return {"rope_parameters": rope}, {"tokens_per_second": 2}


def tiny_processor(tokenizer: PreTrainedTokenizerFast) -> ProcessorMixin:
    """Makes a processor with the released models' pixel limits (the class defaults would upscale)."""
    from transformers import Qwen2_5_VLProcessor
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    sizes: dict[str, Any] = {"patch_size": 14, "temporal_patch_size": 2, "merge_size": 2}
    sizes |= {"min_pixels": 56 * 56, "max_pixels": 12845056}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(**sizes),
        video_processor=Qwen2VLVideoProcessor(**sizes),
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
    )
