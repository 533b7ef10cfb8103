"""verl 0.9.1: each rollout of a prompt runs the processor three times on the same videos, two times on the event loop.

Once to build the prompt and, when the answer is there, once each for the reward and for the trainer's inputs.
The videos are the same each time, and so is everything but the token ids. `videossr_verl.shared_videos` holds
the videos of a prompt; what the processor makes of them is kept there too, for all rollouts of the prompt.
The payload that SGLang needs instead of frames is not sent on to the trainer, which would get all pixels twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from videossr_verl.patching import replace_function
from videossr_verl.shared_videos import SharedVideos

# These belong to the text, and the rest to the videos.
_OF_THE_TEXT = ("input_ids", "attention_mask")


def apply_to_tokenizer(tokenizer_module: ModuleType) -> None:
    """Makes `build_multimodal_processor_inputs` process shared videos once for each text."""

    def wrap(stock: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(stock)
        def build_multimodal_processor_inputs(processor: Any, **inputs: Any) -> Any:
            videos = inputs.get("videos")
            if not isinstance(videos, SharedVideos) or inputs.get("images") or inputs.get("audio"):
                return stock(processor, **inputs)
            others = {name: value for name, value in inputs.items() if name != "videos"}
            output = videos.processed(repr(sorted(others.items())), lambda: stock(processor, **inputs))
            return type(output)(dict(output))  # callers take keys out of theirs

        return build_multimodal_processor_inputs

    replace_function(tokenizer_module, "build_multimodal_processor_inputs", wrap)


def apply_to_agent_loop(agent_loop: ModuleType) -> None:
    """Makes the worker's `_compute_multi_modal_inputs` take what the prompt's processor call gave."""
    worker = agent_loop.AgentLoopWorker
    stock = worker._compute_multi_modal_inputs
    if hasattr(stock, "stock"):
        return

    @functools.wraps(stock)
    def _compute_multi_modal_inputs(self: Any, output: Any, input_ids: torch.Tensor) -> dict[str, Any]:
        data = output.multi_modal_data or {}
        videos = data.get("videos")
        processed = videos.any_processed() if isinstance(videos, SharedVideos) and len(data) == 1 else None
        if processed is None:
            return stock(self, output, input_ids)
        return {name: value for name, value in processed.items() if name not in _OF_THE_TEXT}

    _compute_multi_modal_inputs.stock = stock
    worker._compute_multi_modal_inputs = _compute_multi_modal_inputs


def apply_to_transfer(agent_loop_tq: ModuleType) -> None:
    """Makes the worker drop SGLang's payload when the answer is there."""
    worker = agent_loop_tq.AgentLoopWorkerTQ
    worker = getattr(worker, "__ray_actor_class__", worker)
    stock = worker._agent_loop_postprocess
    if hasattr(stock, "stock"):
        return

    @functools.wraps(stock)
    async def _agent_loop_postprocess(self: Any, output: Any, *args: Any, **kwargs: Any) -> None:
        for one in output if isinstance(output, list) else [output]:
            one.mm_processor_output = None
        await stock(self, output, *args, **kwargs)

    _agent_loop_postprocess.stock = stock
    worker._agent_loop_postprocess = _agent_loop_postprocess
