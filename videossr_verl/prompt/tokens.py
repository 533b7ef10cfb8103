"""Counts a prompt's tokens without decoding a single frame.

A row tells the size and the number of frames of every video, so the number of vision tokens is arithmetic. The text
around them (Qwen3-VL writes `<1.5 seconds>` before every frame pair) comes from the processor's own code. The result
equals the length of the `input_ids` that the processor returns for the rendered frames.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from types import ModuleType
from typing import Any

import numpy as np

from videossr_verl.errors import BadInput
from videossr_verl.families import families, family_of
from videossr_verl.families.processor import Processor
from videossr_verl.video.metadata import video_metadata
from videossr_verl.video.missing_platform import check_torchvision
from videossr_verl.video.size import target_size
from videossr_verl.video.specs import ImageSpec, VideoSpec

Items = Sequence[Mapping[str, Any]]  # messages, videos or images of a row


def load_processor(model: str) -> Processor:
    """Returns the processor of a model folder (or hub name). Raises BadInput if it has none that handles videos."""
    check_torchvision()
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise BadInput(f"no processor can be loaded from model '{model}': {str(error).splitlines()[0]}") from error
    if not hasattr(processor, "video_processor"):
        raise BadInput(
            f"model '{model}' has no video processor; give one with preprocessor_config.json and the tokenizer,"
            f" of one of the families {', '.join(families())}"
        )
    return processor


def patch_factor(processor: Processor) -> int:
    """Returns the factor that height and width of a rendered frame are multiples of."""
    return processor.video_processor.patch_size * processor.video_processor.merge_size


def known_family(processor: Processor) -> ModuleType:
    """Returns the processor's family. Raises BadInput if no installed family has it."""
    family = family_of(processor)
    if family is None:
        known = ", ".join(families())
        raise BadInput(f"no family of models has a {type(processor).__name__}; known families: {known}")
    return family


class PromptTokenCounter:
    """Counts the tokens of prompts for one processor.

    Attributes:
        key: name of this way to count, e.g. "Qwen3VLProcessor-32-1f0c9a7e". Two processors share it only if class,
            patch factor, pixel limits, chat template and tokenizer are the same, so a stored count is never used
            for another model.
    """

    def __init__(self, processor: Processor, chat_template_kwargs: Mapping[str, Any] | None = None) -> None:
        """Takes a processor of an installed family, and extra arguments for its chat template."""
        self.processor = processor
        self.chat_template_kwargs = dict(chat_template_kwargs or {})
        limits = [
            [media.temporal_patch_size, media.do_resize, media.size["shortest_edge"], media.size["longest_edge"]]
            for media in (processor.video_processor, processor.image_processor)
        ]
        tokenizer = processor.tokenizer.backend_tokenizer.to_str()
        state = [processor.chat_template, self.chat_template_kwargs, tokenizer, *limits]
        digest = blake2b(json.dumps(state, sort_keys=True, default=str).encode(), digest_size=4).hexdigest()
        self.key = f"{type(processor).__name__}-{patch_factor(processor)}-{digest}"

    def row_key(self, prompt: Items, videos: Items, images: Items = ()) -> str:
        """Returns the key inside a row's `extra_info.num_prompt_tokens`. It changes with the prompt, so that no count
        outlives it.
        """
        return f"{self.key}-{content_digest(prompt, videos, images)}"

    def count(self, prompt: Items, videos: Items, images: Items = ()) -> int:
        """Returns the number of tokens of a row's prompt, equal to `len(processor(text, videos, ...)["input_ids"][0])`.

        Args:
            prompt: the row's messages; each `<video>` in a text stands for the next video, each `<image>` for the
                next image.
            videos: the row's N videos (`VideoSpec.to_row`).
            images: the row's images (`ImageSpec.to_row`).

        Raises:
            ValueError: the numbers of places and of media differ.
        """
        clips, stills = [VideoSpec.from_row(v) for v in videos], [ImageSpec.from_row(i) for i in images]
        messages = [{"role": m["role"], "content": content_parts(m["content"])} for m in prompt]
        for kind, specs in (("video", clips), ("image", stills)):
            places = sum(part["type"] == kind for m in messages for part in m["content"])
            if places != len(specs):
                raise ValueError(f"the prompt has {places} <{kind}> places for {len(specs)} {kind}s")
        text = self.processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, **self.chat_template_kwargs
        )
        hidden = sum(_image_tokens(self.processor, spec) - 1 for spec in stills)
        expanded = []
        for spec in clips:
            steps, tokens_per_step = _grid(self.processor, spec)
            expanded.append(_expand_one_token_per_step(self.processor, spec, steps))
            hidden += steps * (tokens_per_step - 1)
        if expanded or stills:
            one_token = [self.processor.image_token] * len(stills)
            (text,), _ = self.processor.get_text_with_replacements([text], one_token, expanded, [])
        return len(self.processor.tokenizer(text)["input_ids"]) + hidden


def content_digest(prompt: Items, videos: Items, images: Items) -> str:
    """Returns 8 hex digits of all that a prompt's length depends on, apart from the processor."""
    sizes = ("height", "width", "min_pixels", "max_pixels")
    counted = [
        [[message["role"], message["content"]] for message in prompt],
        [[*(video[name] for name in sizes), list(video["clock"])] for video in videos],
        [[image[name] for name in sizes] for image in images],
    ]
    return blake2b(json.dumps(counted).encode(), digest_size=4).hexdigest()


def content_parts(text: str) -> list[dict[str, str]]:
    """Returns `<video>` and `<image>` places and the texts between them, as verl's dataset splits a message."""
    kinds = {"<video>": "video", "<image>": "image"}
    pieces = re.split("(<video>|<image>)", text)
    return [{"type": kinds[piece]} if piece in kinds else {"type": "text", "text": piece} for piece in pieces if piece]


def _image_tokens(processor: Processor, image: ImageSpec) -> int:
    """Returns the vision tokens of a rendered image."""
    ip = processor.image_processor
    factor = patch_factor(processor)
    height, width = target_size(image.height, image.width, image.min_pixels, image.max_pixels, factor)
    if ip.do_resize:
        limits = {"min_pixels": ip.size["shortest_edge"], "max_pixels": ip.size["longest_edge"]}
        smart_resize = sys.modules[type(ip).__module__].smart_resize
        height, width = smart_resize(height=height, width=width, factor=factor, **limits)
    return height * width // factor**2


def _grid(processor: Processor, video: VideoSpec) -> tuple[int, int]:
    """Returns the temporal steps of a rendered video, and the vision tokens of one step."""
    vp = processor.video_processor
    factor, frames = patch_factor(processor), len(video.times)
    height, width = target_size(video.height, video.width, video.min_pixels, video.max_pixels, factor)
    if vp.do_resize:  # the processor's own limits come on top of ours
        smart_resize = sys.modules[type(vp).__module__].smart_resize
        limits = known_family(processor).resize_limits(vp, frames)
        height, width = smart_resize(height=height, width=width, factor=factor, **limits)
    return -(-frames // vp.temporal_patch_size), height * width // factor**2


def _expand_one_token_per_step(processor: Processor, video: VideoSpec, steps: int) -> str:
    """Returns the processor's text for a video, with one vision token per temporal step: short, and it tokenizes
    alike.
    """
    from transformers.video_utils import VideoMetadata

    merge = processor.video_processor.merge_size
    inputs = {
        "video_grid_thw": np.array([[steps, merge, merge]]),
        "video_metadata": [VideoMetadata(**video_metadata(video.clock))],
    }
    return processor.replace_video_token(inputs, 0)
