"""vLLM 0.28.0: Qwen2.5-VL loses the videos' times; each is placed as if sampled at 24 frames per second.

vLLM's parser strips the metadata from `(frames, metadata)` for this family, and the Hugging Face processor
then assumes 24. Besides, vLLM rounds all float outputs of the processor to the model's dtype, which in bf16
moves the floor of `k * second_per_grid_ts * tokens_per_second`; the trainer has them in float32. vLLM pull
request #47736 keeps the metadata.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any


def register_timed_processor(qwen2_5_vl: ModuleType) -> None:
    """Registers a processor for Qwen2.5-VL that keeps the times. Does nothing if vLLM already keeps them."""
    if "video_needs_metadata" in inspect.getsource(qwen2_5_vl.Qwen2_5_VLProcessingInfo.get_data_parser):
        return
    model = qwen2_5_vl.Qwen2_5_VLForConditionalGeneration
    factories = model.__dict__["_processor_factory"]
    if factories.processor is not qwen2_5_vl.Qwen2_5_VLMultiModalProcessor:
        return  # it is registered already, by us or somebody else
    info, processor = _timed_classes(qwen2_5_vl)
    del model._processor_factory  # else vLLM warns that it is replaced
    qwen2_5_vl.MULTIMODAL_REGISTRY.register_processor(processor, info=info, dummy_inputs=factories.dummy_inputs)(model)


def _timed_classes(qwen2_5_vl: ModuleType) -> tuple[type, type]:
    import numpy as np
    import torch
    from transformers.video_utils import VideoMetadata
    from vllm.model_executor.models.qwen2_vl import Qwen2VLMultiModalDataParser

    class TimedDataParser(Qwen2VLMultiModalDataParser):
        def _get_video_with_metadata(self, video: Any) -> tuple[Any, dict[str, Any]]:
            frames, metadata = super()._get_video_with_metadata(video)
            # Bare frames (vLLM's own profiling sends them) stay allowed, and mean what they did before.
            return frames, metadata or {"total_num_frames": len(np.asarray(frames))}  # vLLM may wrap the array

    class TimedProcessingInfo(qwen2_5_vl.Qwen2_5_VLProcessingInfo):
        def get_data_parser(self) -> TimedDataParser:
            # vLLM's versions give their parsers different arguments, so theirs is made first.
            parser = TimedDataParser.__new__(TimedDataParser)
            vars(parser).update(vars(super().get_data_parser()), video_needs_metadata=True)
            return parser

    class TimedMultiModalProcessor(qwen2_5_vl.Qwen2_5_VLMultiModalProcessor):
        def _call_hf_processor(
            self,
            prompt: str,
            mm_data: Mapping[str, Any],
            mm_kwargs: Mapping[str, object],
            tok_kwargs: Mapping[str, object],
        ) -> Any:
            videos = mm_data.get("videos")
            if not videos:
                return super()._call_hf_processor(prompt, mm_data, mm_kwargs, tok_kwargs)
            # vLLM adds a key of its own, which transformers does not know.
            metadata = [VideoMetadata(**{k: v for k, v in m.items() if k != "do_sample_frames"}) for _, m in videos]
            outputs = super()._call_hf_processor(
                prompt,
                {**mm_data, "videos": [frames for frames, _ in videos]},
                {**mm_kwargs, "video_metadata": metadata, "do_sample_frames": False},
                tok_kwargs,
            )
            patch = self.info.get_hf_processor().video_processor.temporal_patch_size
            outputs["second_per_grid_ts"] = torch.tensor([patch / m.sampled_fps for m in metadata])
            return outputs

    return TimedProcessingInfo, TimedMultiModalProcessor
