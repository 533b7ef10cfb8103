"""verl 0.9.1: vLLM expands each Qwen3-VL video a second time, inside the expanded prompt.

verl sends vLLM the token ids that the Hugging Face processor expanded, after it has shrunk each run of
placeholders to one. That undoes Qwen2.5-VL's expansion, but not Qwen3-VL's, which writes `<t seconds>` and a
bracket of placeholders for each pair of frames: T placeholders stay, and vLLM puts a whole video in the place of the
first ones. This patch takes the ids back to what they were before the processor saw them. It works in the server,
behind every agent loop. verl issue #5024.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from videossr_verl.families import family_of
from videossr_verl.families.processor import Processor


class CannotUnexpand(RuntimeError):
    """This transformers version writes a video's tokens in a form that is not known here."""


def unexpand_videos(ids: Sequence[int], start: int, end: int, pad: int) -> list[int]:
    """Returns the token ids with each `[<t>[p..p]<t>[p..p]..]` (p: `pad`, brackets: `start`, `end`) written as `[p]`.

    Anything else, such as the brackets of an image or brackets that a model sampled, stays. Linear time.
    """
    out, at = [], 0
    while at < len(ids):
        after = _end_of_video(ids, at, start, end, pad) if ids[at] == start else None
        if after is None:
            out.append(ids[at])
            at += 1
        else:
            out += [start, pad, end]
            at = after
    return out


def _end_of_video(ids: Sequence[int], at: int, start: int, end: int, pad: int) -> int | None:
    """Returns the index after an expanded video that begins at `at`, or None if none does."""

    def skip(at: int, wanted: Callable[[int], bool]) -> int:
        while at < len(ids) and wanted(ids[at]):
            at += 1
        return at

    def is_at(at: int, token: int) -> bool:
        return at < len(ids) and ids[at] == token

    at += 1
    frames = 0
    while not is_at(at, end):
        inner = skip(at, lambda token: token not in (start, end, pad))  # <t seconds>
        if inner == at or not is_at(inner, start):
            return None
        at = skip(inner + 1, lambda token: token == pad)
        if at == inner + 1 or not is_at(at, end):
            return None
        at += 1
        frames += 1
    return at + 1 if frames else None


@functools.lru_cache(maxsize=4)
def check(processor: Processor) -> None:
    """Raises CannotUnexpand if `unexpand_videos` does not undo what this processor does to a video prompt."""
    text = f"{processor.vision_start_token}{processor.video_token}{processor.vision_end_token}"
    frames = np.zeros((4, 3, 64, 64), np.uint8)
    metadata = {"fps": 2.0, "frames_indices": [0, 1, 2, 3], "total_num_frames": 4}
    expanded = processor(text=[text], videos=[frames], video_metadata=[metadata], do_sample_frames=False)
    ids = np.asarray(expanded["input_ids"])[0].tolist()
    if _unexpand(ids, processor) != processor.tokenizer(text)["input_ids"]:
        raise CannotUnexpand(
            "this transformers version expands Qwen3-VL videos in a form that cannot be undone for vLLM, so "
            "rollouts would see another prompt than the trainer; install the versions in constraints/"
        )


def _unexpand(ids: Sequence[int], processor: Processor) -> list[int]:
    return unexpand_videos(
        ids, processor.vision_start_token_id, processor.vision_end_token_id, processor.video_token_id
    )


def wrap_dedup_image_tokens(stock: Callable[..., Sequence[int]]) -> Callable[..., Sequence[int]]:
    """Makes `qwen2_5_vl_dedup_image_tokens` undo Qwen3-VL's expansion before it shrinks runs."""

    def qwen2_5_vl_dedup_image_tokens(prompt_ids: Sequence[int], processor: Any) -> Sequence[int]:
        family = family_of(processor)
        if family is not None and family.TOKENS_OF_A_TIME:
            check(processor)
            prompt_ids = _unexpand(prompt_ids, processor)
        return stock(prompt_ids, processor)

    return qwen2_5_vl_dedup_image_tokens
