"""A prompt's pixels on the way from the processor to the model: one byte each, normalised where they are used.

A processor turns frames into float patches, which take four times the bytes. Only its last step, the normalisation,
makes fractions of whole numbers. So the processor leaves out the last step, and the trainer makes up for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

# Flags of a Hugging Face processor: cut into patches, leave the numbers alone.
RAW = {"do_rescale": False, "do_normalize": False}
# What a processor calls the patches of videos and images, and its part that makes them.
PIXELS = {"pixel_values_videos": "video_processor", "pixel_values": "image_processor"}


class PromptPixels:
    """What the processor calls `pixel_values_videos` or `pixel_values`, before it is normalised.

    No dataclass: TransferQueue would turn it into a dict.

    Attributes:
        mean, std: C values each, of bytes 0 to 255.
        patches: uint8 (P, C * patch volume), P patches of all videos, or images, of the prompt; None if they are
            kept elsewhere.
        key: where they are kept (see patches/speed/pixel_transfer.py); None if they are here, or were not sent at all.
    """

    def __init__(
        self,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        patches: torch.Tensor | None = None,
        key: str | None = None,
    ) -> None:
        self.mean, self.std, self.patches, self.key = mean, std, patches, key

    def normalised(self, patches: torch.Tensor) -> torch.Tensor:
        """Returns float32 `patches`, as the processor would have returned them, bit by bit."""
        repeats = patches.shape[1] // len(self.mean)
        mean, std = (torch.tensor(v, device=patches.device).repeat_interleave(repeats) for v in (self.mean, self.std))
        return patches.float().sub_(mean).div_(std)


def raw_pixels(processor: Any, process: Callable[[Mapping[str, Any]], Any]) -> Any:
    """Returns the output of `process(flags)` with `PromptPixels` as its pixels, or with floats if the processor cannot
    give patches.

    Args:
        processor: with a `video_processor`, and an `image_processor` if it is used.
        process: calls the processor on videos and images with the flags it is given.
    """
    if not _normalises(getattr(processor, "video_processor", None)):
        return process({})
    output = process(RAW)
    found = {name: output[name] for name in PIXELS if output.get(name) is not None}
    parts = {name: getattr(processor, PIXELS[name]) for name in found}
    as_bytes = all(patches.dtype == torch.uint8 and patches.dim() == 2 for patches in found.values())
    if not found or not as_bytes or not all(_normalises(part) for part in parts.values()):
        return process({})
    for name, patches in found.items():
        # The order of these operations is transformers' own, so that the last bits agree.
        mean, std = (
            tuple((torch.tensor(values) * (1.0 / parts[name].rescale_factor)).tolist())
            for values in (parts[name].image_mean, parts[name].image_std)
        )
        output[name] = PromptPixels(mean, std, patches)
    return output


def _normalises(part: object) -> bool:
    return bool(getattr(part, "do_rescale", False) and getattr(part, "do_normalize", False))
