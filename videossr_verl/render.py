"""From rows to pixels: decode each source once, let the task make its change, attach the true clock.

The one place that makes what a model is shown; training, evaluation and pictures all go through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from videossr_verl.sample import ImageSpec, VideoSpec
from videossr_verl.tasks import get_task
from videossr_verl.video.decode import decode
from videossr_verl.video.frame_cache import FrameCache
from videossr_verl.video.metadata import video_metadata
from videossr_verl.video.size import target_size


def resolve_path(video: str, data_root: str | Path) -> Path:
    """The file of a row's `video`; ValueError when it lies outside `data_root`, symbolic links followed."""
    root = Path(data_root).resolve()
    path = (root / video).resolve()
    if not path.is_relative_to(root):
        raise ValueError(f"video '{video}' lies outside the data root '{root}': rows may only name files below it")
    return path


Video = tuple[torch.Tensor, dict[str, Any]]
Request = tuple[str, tuple[int, int], tuple[float, ...]]  # file, (H, W), times


def render(
    videos: Sequence[VideoSpec],
    images: Sequence[ImageSpec],
    data_root: str | Path,
    factor: int,
    cache: FrameCache | None = None,
) -> tuple[list[Video], list[Image.Image]]:
    """Frames and metadata of the N videos of one prompt, and its images; each source file is decoded once.

    Args:
        videos, images: as stored in a row.
        data_root: folder that the specs' paths are relative to.
        factor: H and W become multiples of it (28 for Qwen2.5-VL, 32 for Qwen3-VL).
        cache: where decoded frames are kept, None for nowhere; the result is the same.

    Returns:
        N pairs of uint8 frames (T, C, H, W) and metadata (see `video_metadata`), and the images in RGB.

    Raises:
        VideoRejected: a source file is missing or cannot be decoded.
        ValueError: a path outside the data root, or an unknown task.
    """
    requests = [_video_requests(spec, factor) for spec in videos]
    stills = [(spec.video, _size(spec, factor), (spec.time,)) for spec in images]
    wanted: dict[tuple[str, tuple[int, int]], set[float]] = {}
    for video, size, times in [part for parts in requests for part in parts] + stills:
        wanted.setdefault((video, size), set()).update(times)
    decoded = {}
    for (video, size), times in wanted.items():
        ordered = sorted(times)
        frames = (cache.frames if cache else decode)(resolve_path(video, data_root), ordered, size)
        decoded[video, size] = dict(zip(ordered, frames, strict=True))

    rendered = []
    for spec, parts in zip(videos, requests, strict=True):
        sources = [np.stack([decoded[video, size][t] for t in times]) for video, size, times in parts]
        frames = get_task(spec.task).render(spec.transform, *sources) if spec.transform else sources[0]
        tensor = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
        rendered.append((tensor, video_metadata(spec.clock)))
    return rendered, [Image.fromarray(decoded[video, size][time]) for video, size, (time,) in stills]


def _video_requests(spec: VideoSpec, factor: int) -> list[Request]:
    """What the spec's own frames need and, where a change borrows frames, those of the other video."""
    size = _size(spec, factor)
    requests = [(spec.video, size, spec.times)]
    source = spec.transform.get("source")
    if source:
        requests.append((source["video"], size, tuple(source["times"])))
    return requests


def _size(spec: VideoSpec | ImageSpec, factor: int) -> tuple[int, int]:
    return target_size(spec.height, spec.width, spec.min_pixels, spec.max_pixels, factor)
