"""verl 0.9.1: each rollout of a prompt runs the processor three times on the same videos, two times on the event loop.

It runs once to build the prompt and, when the answer is there, once each for the reward and for the trainer's inputs.
The videos and images are the same each time; only the token ids differ.
`prompt.shared_media` holds those of a prompt, and what the processor makes of them, for all rollouts of the prompt.
Their frames travel to the rollout server once, through Ray's object store, and not once per rollout.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import torch

from videossr_verl.prompt.pixels import PromptPixels, raw_pixels
from videossr_verl.prompt.shared_media import SharedVideos

# These belong to the text, and the rest to the media.
_OF_THE_TEXT = ("input_ids", "attention_mask")


def wrap_build_processor_inputs(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes `build_multimodal_processor_inputs` process shared videos once for each text, pixels left as bytes."""

    def build_multimodal_processor_inputs(processor: Any, **inputs: Any) -> Any:
        videos = inputs.get("videos")
        if not isinstance(videos, SharedVideos) or not videos.are_all(inputs.get("images")) or inputs.get("audio"):
            return stock(processor, **inputs)
        settings = inputs.get("mm_processor_kwargs")

        def process() -> Any:
            if settings:  # these may change the normalisation
                return stock(processor, **inputs)
            return raw_pixels(processor, lambda flags: stock(processor, **inputs | {"mm_processor_kwargs": flags}))

        others = {name: value for name, value in inputs.items() if name not in ("videos", "images")}
        output = videos.processed(repr(sorted(others.items())), process)
        return copy.copy(output)  # callers take keys out of theirs

    return build_multimodal_processor_inputs


def wrap_compute_multi_modal_inputs(stock: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Makes a rollout worker take the trainer's inputs from the prompt's processor call."""

    def _compute_multi_modal_inputs(self: Any, output: Any, input_ids: torch.Tensor) -> dict[str, Any]:
        data = output.multi_modal_data or {}
        videos = data.get("videos")
        if not isinstance(videos, SharedVideos) or not videos.are_all(data.get("images")) or data.get("audios"):
            return stock(self, output, input_ids)
        if (processed := videos.any_processed()) is None:
            return stock(self, output, input_ids)
        inputs = {name: value for name, value in processed.items() if name not in _OF_THE_TEXT}
        if (grids := inputs.get("image_grid_thw")) is not None:  # as the stock code does
            inputs["images_seqlens"] = torch.repeat_interleave(grids[:, 1] * grids[:, 2], grids[:, 0])
        return inputs

    return _compute_multi_modal_inputs


def wrap_generate(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the server's client send shared videos by reference, which Ray resolves on the way."""

    async def generate(
        self: Any, request_id: str, *, video_data: Any = None, image_data: Any = None, **kwargs: Any
    ) -> Any:
        if isinstance(video_data, SharedVideos) and video_data.are_all(image_data):
            if (
                self.config.actor_rollout_ref.rollout.name == "sglang"
            ):  # SGLang takes the processor's output, not frames
                kwargs["mm_processor_output"] = _normalised(kwargs.get("mm_processor_output"))
            else:
                video_data, image_data = await asyncio.to_thread(video_data.references)
        return await stock(self, request_id, video_data=video_data, image_data=image_data, **kwargs)

    return generate


def _normalised(payloads: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    def plain(value: Any) -> Any:
        if not isinstance(value, PromptPixels):
            return value
        if value.patches is None:
            raise RuntimeError("SGLang is to get pixels that were sent elsewhere")
        return value.normalised(value.patches)

    return payloads and [{name: plain(value) for name, value in payload.items()} for payload in payloads]
