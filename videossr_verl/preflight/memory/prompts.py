"""What a prompt is made of: tokens, patches of the vision tower, bytes of pixels. The prompt is a preset's, or a stored
row's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from videossr_verl.errors import BadInput
from videossr_verl.families import model_types
from videossr_verl.families.shape import COLOURS, ModelShape
from videossr_verl.prompt.tokens import content_digest
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.tasks import get_task
from videossr_verl.tasks.presets import Subset, load_preset
from videossr_verl.video.size import target_size

# Presets are planned for a common source, because the build has not looked at the videos yet.
SOURCE = (720, 1280)
QUESTION_TOKENS = 300  # the chat's frame and a question


@dataclass(frozen=True)
class Prompt:
    """One prompt's size.

    Attributes:
        tokens: all of them; vision_tokens: those of videos and images.
        patches: of the vision tower, merge^2 for each vision token.
        frame_bytes: decoded frames at the model's size, uint8. patch_bytes: the same cut into patches.
    """

    tokens: int
    vision_tokens: int
    patches: int
    frame_bytes: int
    patch_bytes: int


@dataclass(frozen=True)
class Prompts:
    """The prompts of a data set.

    Attributes:
        source: where the figures are from, for people.
        typical, longest: of rows, the middle one and the longest one; of a preset, a 16:9 source's and the most that
            the preset allows.
        counted: whether the tokens are the build's own count for this kind of model, rather than an estimate.
    """

    source: str
    typical: Prompt
    longest: Prompt
    counted: bool


def prompts_of_preset(name: str, shape: ModelShape) -> Prompts:
    """Returns the prompts of a preset of `videossr build`. Raises BadInput for an unknown one."""
    typical, longest = [], []
    for subset in load_preset(name).subsets.values():
        steps, frames = _shown(subset, shape)
        limits = subset.clip.min_pixels, subset.clip.max_pixels
        height, width = target_size(*SOURCE, *limits, shape.vision.factor)
        typical.append(_prompt(shape, steps, frames, height * width))
        longest.append(_prompt(shape, steps, frames, limits[1] // shape.vision.factor**2 * shape.vision.factor**2))
    by_tokens = [max(sizes, key=lambda prompt: prompt.tokens) for sizes in (typical, longest)]
    return Prompts(f"preset {name}, a 16:9 source", *by_tokens, counted=False)


def prompts_of_rows(files: Sequence[str], shape: ModelShape) -> Prompts:
    """Returns the prompts in parquet files of `videossr build`. Raises BadInput if a file is missing, or none has
    rows.
    """
    rows = [row for file in files for row in read_rows(file)]
    if not rows:
        raise BadInput(f"'{files[0]}' holds no rows: build it with videossr build")
    counts = [_counted(row, shape) for row in rows]
    prompts = [_of_row(row, count, shape) for row, count in zip(rows, counts, strict=True)]
    prompts.sort(key=lambda prompt: prompt.tokens)
    middle, last = prompts[len(prompts) // 2], prompts[-1]
    named = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    return Prompts(f"{len(rows)} rows of {named}", middle, last, counted=all(counts))


def _shown(subset: Subset, shape: ModelShape) -> tuple[int, int]:
    """Returns the temporal steps of the vision tower and decoded frames of a subset's samples."""
    ask = getattr(get_task(subset.task), "frames_shown", None)
    lengths = ask(subset.difficulty, subset.clip.num_frames) if ask else [subset.clip.num_frames]
    return sum(_steps(length, shape) for length in lengths), sum(lengths)


def _steps(frames: int, shape: ModelShape) -> int:
    """Returns the temporal steps of a video; an image is doubled."""
    return math.ceil(frames / shape.vision.temporal_patch)


def _prompt(shape: ModelShape, steps: int, frames: int, pixels: int) -> Prompt:
    """Returns `steps` times one step's vision tokens; `pixels` of a frame, H * W."""
    vision, per_step = shape.vision, pixels // shape.vision.factor**2
    written = QUESTION_TOKENS + steps * model_types()[shape.model_type].TOKENS_OF_A_TIME
    patches = steps * per_step * vision.merge**2
    return Prompt(
        tokens=written + steps * per_step,
        vision_tokens=steps * per_step,
        patches=patches,
        frame_bytes=frames * pixels * COLOURS,
        patch_bytes=patches * vision.patch_values,
    )


def _counted(row: Mapping[str, Any], shape: ModelShape) -> int | None:
    """Returns the stored length for a processor of this family and patch size, if it belongs to the row as it
    stands.
    """
    stored = json.loads((row.get("extra_info") or {}).get("num_prompt_tokens") or "{}")
    kind = f"{model_types()[shape.model_type].PROCESSOR}-{shape.vision.factor}-"
    content = content_digest(row["prompt"], row.get("videos") or (), row.get("images") or ())
    return max((n for key, n in stored.items() if key.startswith(kind) and key.endswith(f"-{content}")), default=None)


def _of_row(row: Mapping[str, Any], tokens: int | None, shape: ModelShape) -> Prompt:
    factor = shape.vision.factor
    media = [(video, len(video["times"])) for video in row.get("videos") or ()]
    media += [(image, 1) for image in row.get("images") or ()]
    parts = []
    for one, frames in media:
        limits = one["min_pixels"], one["max_pixels"]
        height, width = target_size(one["height"], one["width"], *limits, factor)
        parts.append(_prompt(shape, _steps(frames, shape), frames, height * width))
    written = QUESTION_TOKENS + sum(part.tokens - QUESTION_TOKENS for part in parts)
    return Prompt(
        tokens=tokens or written,
        vision_tokens=sum(part.vision_tokens for part in parts),
        patches=sum(part.patches for part in parts),
        frame_bytes=sum(part.frame_bytes for part in parts),
        patch_bytes=sum(part.patch_bytes for part in parts),
    )
