"""verl 0.9.1 and transformers 5.10.4: the trainer's M-RoPE positions of Qwen2.5-VL ignore the videos' time.

verl never hands `second_per_grid_ts` to `get_rope_index`; transformers cuts it to whole seconds, and lets the
text after a video start at `start + max(h, w)`, below the video's own last time step. vLLM, and the code that the
model was trained with, use the exact seconds and go on at the largest position + 1. verl takes both functions from
the processor, so this patch sets them on each processor that verl's `hf_processor` makes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from types import MethodType
from typing import TYPE_CHECKING

import torch

from videossr_verl.families.processor import Processor

if TYPE_CHECKING:  # this file is imported with verl itself
    from transformers import ProcessorMixin

_TEXT, _IMAGE, _VIDEO = 0, 1, 2


def rope_index(
    self: Processor,
    input_ids: torch.Tensor,
    mm_token_type_ids: torch.Tensor | None = None,
    image_grid_thw: torch.Tensor | None = None,
    video_grid_thw: torch.Tensor | None = None,
    second_per_grid_ts: torch.Tensor | None = None,
    attention_mask: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns M-RoPE positions as vLLM computes them. It becomes a method of the processor, as verl expects.

    Args:
        input_ids: (B, L) with media already expanded to their placeholder tokens.
        mm_token_type_ids: (B, L), 0 text, 1 image, 2 video; read off the placeholder ids where it is missing.
        image_grid_thw: (number of images, 3) patch grids, in the order of the prompts.
        video_grid_thw: (number of videos, 3) likewise.
        second_per_grid_ts: (number of videos,) seconds per temporal patch; 1 where it is missing.
        attention_mask: (B, L), 0 for padding, whose positions stay 0.

    Returns:
        positions (3, B, L) and, per row, largest position + 1 - number of tokens (B, 1).

    Raises:
        ValueError: more placeholder runs than media.
    """
    if mm_token_type_ids is None:
        mm_token_type_ids = torch.zeros_like(input_ids)
        mm_token_type_ids[input_ids == self.image_token_id] = _IMAGE
        mm_token_type_ids[input_ids == self.video_token_id] = _VIDEO
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    grids = _grids(self, image_grid_thw, video_grid_thw, second_per_grid_ts)
    positions = torch.zeros(3, *input_ids.shape, dtype=input_ids.dtype, device=input_ids.device)
    deltas = []
    for row in range(input_ids.shape[0]):
        valid = attention_mask[row].bool()
        row_positions = _row_positions(mm_token_type_ids[row][valid].tolist(), grids)
        positions[:, row, valid] = row_positions.to(positions)
        deltas.append(int(row_positions.max()) + 1 - row_positions.shape[1])
    return positions, torch.tensor(deltas, device=input_ids.device).unsqueeze(1)


_Grids = dict[int, Iterator[tuple[int, int, int, float]]]


def _grids(
    processor: Processor,
    image_grid_thw: torch.Tensor | None,
    video_grid_thw: torch.Tensor | None,
    second_per_grid_ts: torch.Tensor | None,
) -> _Grids:
    """Returns for each kind of medium (t, h, w) in tokens, and the step of the time axis per t."""
    vision = processor.config.vision_config
    merge = vision.spatial_merge_size
    images = [] if image_grid_thw is None else image_grid_thw.tolist()
    videos = [] if video_grid_thw is None else video_grid_thw.tolist()
    # Seconds are float32 in vLLM too, and all that follows is float64 in both: the floors agree.
    seconds = [1.0] * len(videos) if second_per_grid_ts is None else second_per_grid_ts.float().tolist()
    return {
        _IMAGE: iter([(t, h // merge, w // merge, 1.0) for t, h, w in images]),
        _VIDEO: iter(
            [
                (t, h // merge, w // merge, s * vision.tokens_per_second)
                for (t, h, w), s in zip(videos, seconds, strict=True)
            ]
        ),
    }


def _row_positions(kinds: list[int], grids: _Grids) -> torch.Tensor:
    """Returns the positions (3, L) of one prompt from its tokens' kinds, and takes the prompt's media off `grids`."""
    parts, start = [], 0
    for kind, run in itertools.groupby(kinds):
        left = len(list(run))
        while left > 0:  # two media can follow each other without a token between them
            part = torch.arange(left).expand(3, -1) if kind == _TEXT else _medium_positions(kind, grids)
            parts.append(part + start)
            left -= part.shape[1]
            start = int(parts[-1].max()) + 1  # the time axis counts
    return torch.cat(parts, dim=1)


def _medium_positions(kind: int, grids: _Grids) -> torch.Tensor:
    grid = next(grids[kind], None)
    if grid is None:
        name = "image" if kind == _IMAGE else "video"
        raise ValueError(f"the token ids hold more {name} placeholders than there are {name}s; was one sampled?")
    t, h, w, step = grid
    times = (torch.arange(t, dtype=torch.float64) * step).long()
    return torch.stack(
        [axis.reshape(-1) for axis in torch.meshgrid(times, torch.arange(h), torch.arange(w), indexing="ij")]
    )


def _rope_index_kwargs(multi_modal_inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor | None]:
    """Returns what verl must hand to `rope_index`, besides the grids."""
    return {"second_per_grid_ts": multi_modal_inputs.get("second_per_grid_ts")}


def wrap_hf_processor(
    stock: Callable[..., ProcessorMixin | None],
) -> Callable[..., ProcessorMixin | None]:
    """Makes `hf_processor` give each Qwen2.5-VL processor the functions above."""

    def hf_processor(*args: object, **kwargs: object) -> ProcessorMixin | None:
        processor = stock(*args, **kwargs)
        if type(processor).__name__ == "Qwen2_5_VLProcessor":
            vars(processor).update(
                get_rope_index=MethodType(rope_index, processor), get_rope_index_kwargs=_rope_index_kwargs
            )
        return processor

    return hf_processor
