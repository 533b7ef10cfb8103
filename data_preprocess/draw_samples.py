"""One video -> its samples: decodes the clip once, then draws all samples of all tasks from its frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from data_preprocess.probe_corpus import load_info, rejected_piece
from data_preprocess.seeds import digest, rng, sample_seed
from videossr_verl.sample import CannotDraw
from videossr_verl.tasks import get_task
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import VideoRejected
from videossr_verl.video.sampling import Clip, ClipSettings, sample_clip
from videossr_verl.video.size import target_size

# Patch factors of Qwen2.5-VL and Qwen3-VL: a video must fit both; changes are judged at the first one's size.
FACTORS = (28, 32)
# So many draws fail before any succeeds: this clip cannot carry the task.
GIVE_UP_AFTER = 3


@dataclass(frozen=True)
class DrawSettings:
    """All that a sample depends on beside the video and its index. `difficulty` has every task's knobs."""

    seed: int
    clip: ClipSettings
    difficulty: Mapping[str, Any]


def draw_samples(
    path: str,
    video: str,
    info: dict[str, Any],
    settings: DrawSettings,
    counts: Mapping[str, int],
    other: tuple[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Runs in a worker: `counts` samples of each task from one video.

    Args:
        path: where the file is now.
        video: its path in the rows, relative to the data root.
        info: what `probe_one` gave for it.
        other: (video, info) of another video, for changes that borrow frames.
    Returns:
        JSON data: task -> for each index the sample or {"cannot": why}; or {"rejected": [reason, detail]}.
    """
    try:
        clip = sample_clip(load_info(info, path), video, settings.clip)
        other_clip = sample_clip(load_info(other[1], other[0]), other[0], settings.clip) if other else None
        shape = (clip.height, clip.width, clip.min_pixels, clip.max_pixels)
        size, *_ = [target_size(*shape, factor) for factor in FACTORS]
        frames = decode(path, clip.times, size)
    except VideoRejected as error:
        return rejected_piece(error, path, video)
    frames.setflags(write=False)  # a task that changes them would change the next sample
    return {t: _draw_task(t, n, clip, other_clip, frames, settings) for t, n in sorted(counts.items())}


def _draw_task(
    task: str, count: int, clip: Clip, other: Clip | None, frames: np.ndarray, settings: DrawSettings
) -> list[dict[str, Any]]:
    module, difficulty = get_task(task), settings.difficulty[task]
    knobs = asdict(difficulty)
    drawn: list[dict[str, Any]] = []
    for index in range(count):
        if index >= GIVE_UP_AFTER and all("cannot" in sample for sample in drawn):
            return drawn + [drawn[-1]] * (count - index)
        seed = sample_seed(settings.seed, clip.content_id, task, knobs | {"clip": asdict(settings.clip)}, index)
        try:
            sample = module.draw(clip, frames, difficulty, rng(seed), other)
        except CannotDraw as error:
            drawn.append({"cannot": str(error)})
            continue
        videos = [spec.to_row() for spec in sample.videos]
        drawn.append(
            {
                "question": sample.question,
                "videos": videos,
                "answer": sample.answer,
                "details": dict(sample.details),
                "knobs": knobs | {"num_frames": len(clip.times)},
                "seed": seed,
                "hash": digest(sample.question, videos),
            }
        )
    return drawn
