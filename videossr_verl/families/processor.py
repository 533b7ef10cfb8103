"""What is used of the families' processors: transformers' base class declares nearly none of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class MediaProcessor(Protocol):
    """The part that resizes videos, or images, and cuts them into patches.

    Attributes:
        do_resize: whether its own limits are applied.
        size: these limits, pixels: "shortest_edge" and "longest_edge".
    """

    patch_size: int
    merge_size: int
    temporal_patch_size: int
    do_resize: bool
    size: Mapping[str, int]


class Processor(Protocol):
    """Texts, videos and images -> a model's inputs.

    Attributes:
        config: the model's, where verl made the processor.
    """

    tokenizer: Any
    image_processor: MediaProcessor
    video_processor: MediaProcessor
    chat_template: str | None
    config: Any
    image_token: str
    image_token_id: int
    video_token: str
    video_token_id: int
    vision_start_token: str
    vision_start_token_id: int
    vision_end_token: str
    vision_end_token_id: int

    def __call__(self, **inputs: Any) -> Mapping[str, Any]: ...

    def apply_chat_template(self, messages: Sequence[Mapping[str, Any]], **settings: Any) -> Any: ...

    def get_text_with_replacements(
        self, texts: list[str], images: list[str], videos: list[str], audios: list[str]
    ) -> tuple[list[str], Any]: ...

    def replace_video_token(self, inputs: Mapping[str, Any], number: int) -> str: ...
