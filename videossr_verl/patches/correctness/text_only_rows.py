"""verl 0.9.1 with transformers 5.10: a Qwen2.5-VL micro batch without any picture ends the run.

verl then shows the vision tower an empty picture, so that all FSDP ranks call it, but takes what the tower returns for
a tensor. Such batches are rows of text alone, and the rows that verl puts in the place of a lost group. So without this
repair one broken video costs the run.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

Embeds = tuple[torch.Tensor, torch.Tensor | None]


def wrap_get_input_embeds(stock: Callable[..., Embeds]) -> Callable[..., Embeds]:
    """Gives verl's text-only branch the tensor it takes the vision tower's answer for."""
    from verl.utils.transformers_compat import unpack_visual_output

    def _get_input_embeds(
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        pixel_values_videos: torch.Tensor | None = None,
        *grids: Any,
        **named_grids: Any,
    ) -> Embeds:
        if pixel_values is None and pixel_values_videos is None:
            model = _with_plain_vision(model, unpack_visual_output)
        return stock(model, input_ids, attention_mask, pixel_values, pixel_values_videos, *grids, **named_grids)

    return _get_input_embeds


def _with_plain_vision(model: Any, unpack: Callable[[Any], tuple[torch.Tensor, Any]]) -> SimpleNamespace:
    def visual(*args: Any, **kwargs: Any) -> torch.Tensor:
        return unpack(model.visual(*args, **kwargs))[0]

    return SimpleNamespace(config=model.config, get_input_embeddings=model.get_input_embeddings, visual=visual)
