"""vLLM 0.28.0: with verl's default `load_format: dummy`, Qwen2-VL and Qwen2.5-VL rollouts see no pictures.

vLLM normalises pixels on the device, with mean and std kept as buffers. Loading dummy weights fills everything in the
model's state dict with tiny random numbers, these buffers too; verl then sends the real weights, and no checkpoint
holds them. Answers stay well formed, so only the reward looks wrong. This patch marks the buffers as not persistent,
which takes them out of the state dict.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from videossr_verl.patches.hooks import replace_method

if TYPE_CHECKING:
    import torch


def keep_from_dummy_loading(vision: ModuleType) -> None:
    """Keeps the buffers of `FusedInputNorm` out of the state dict; vLLM before 0.28 has none."""
    if hasattr(vision, "FusedInputNorm"):
        replace_method(vision.FusedInputNorm, "__init__", _wrap_init)


def _wrap_init(stock: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: torch.nn.Module, *args: object, **kwargs: object) -> None:
        stock(self, *args, **kwargs)
        self._non_persistent_buffers_set.update(self._buffers)

    return __init__
