"""Turns rows into pixels: decodes each source once, lets the task make its change, and attaches the true clock.

Only this module makes what a model is shown. Training, evaluation and pictures all go through it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from videossr_verl.files.retry import retried
from videossr_verl.prompt.media import Video
from videossr_verl.tasks import get_task
from videossr_verl.video.decode import decode
from videossr_verl.video.frame_cache import FrameCache
from videossr_verl.video.metadata import video_metadata
from videossr_verl.video.rejected import RejectReason, VideoRejected, rejecting
from videossr_verl.video.size import target_size
from videossr_verl.video.spec_limits import check_prompt_pixels, read_name
from videossr_verl.video.specs import ImageSpec, VideoSpec
from videossr_verl.video.verify import check_content


def resolve_path(video: str, data_root: str | Path) -> Path:
    """Returns the path of a row's `video`, with symbolic links followed. It does not look whether the file exists.

    Raises:
        VideoRejected: outside_data_root, or bad_row for what cannot be a path.
    """
    root = os.path.realpath(data_root)
    path = os.path.realpath(os.path.join(root, read_name({"video": video})))
    if not Path(path).is_relative_to(root):
        raise VideoRejected(
            RejectReason.OUTSIDE_DATA_ROOT,
            f"video '{video}' lies outside the data root '{root}': rows may only name files below it",
        )
    return Path(path)


Source = tuple[str, tuple[int, int], str]  # file, (H, W), decoder
Request = tuple[Source, tuple[float, ...]]  # and times


def render(
    videos: Sequence[VideoSpec],
    images: Sequence[ImageSpec],
    data_root: str | Path,
    factor: int,
    cache: FrameCache | None = None,
    video_ids: Mapping[str, str] | None = None,
) -> tuple[list[Video], list[Image.Image]]:
    """Returns the frames and metadata of a prompt's N videos, and its images. Decodes each source file once.

    Args:
        videos, images: as stored in a row.
        data_root: folder that the specs' paths are relative to.
        factor: H and W become multiples of it (see `families`).
        cache: where decoded frames are kept, None for nowhere; the result is the same.
        video_ids: of the source files that must be those that the rows were drawn from, by the specs' paths.

    Returns:
        N pairs of uint8 frames (T, C, H, W) and metadata (see `video_metadata`), and the images in RGB.

    Raises:
        VideoRejected: a source file is missing, lies outside the data root, or cannot be decoded; or the specs ask
            for too much (see `video.spec_limits`), for an unknown task, or for a change that cannot be made.
        MachineError: a source file cannot be read now, also when tried again.
    """
    requests = [_video_requests(spec, factor) for spec in videos]
    stills = [((spec.video, _size(spec, factor), spec.decoder), (spec.time,)) for spec in images]
    wanted: dict[Source, set[float]] = {}
    everything = [part for parts in requests for part in parts] + stills
    first = everything[0][0][0] if everything else ""
    check_prompt_pixels(first, [(len(times), *size) for (_, size, _), times in everything])
    for source, times in everything:
        wanted.setdefault(source, set()).update(times)
    decoded = {}
    for (video, size, decoder), times in wanted.items():
        ordered, path = sorted(times), resolve_path(video, data_root)
        if (video_id := (video_ids or {}).get(video)) is not None:
            retried(check_content, str(path), video, video_id, cache)
        frames = retried(cache.frames if cache else decode, path, ordered, size, decoder)
        decoded[video, size, decoder] = dict(zip(ordered, frames, strict=True))

    rendered = []
    for spec, parts in zip(videos, requests, strict=True):
        sources = [np.stack([decoded[source][t] for t in times]) for source, times in parts]
        frames = _changed(spec, sources) if spec.transform else sources[0]
        if spec.order is not None:
            frames = frames[list(spec.order)]
        tensor = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
        rendered.append((tensor, video_metadata(spec.clock)))
    return rendered, [Image.fromarray(decoded[source][time]) for source, (time,) in stills]


def _changed(spec: VideoSpec, sources: list[np.ndarray]) -> np.ndarray:
    """Returns the frames with the task's change. A transform may hold anything, so any error is blamed on the row."""
    with rejecting(RejectReason.BAD_ROW, f"the change in the row's video '{spec.video}' cannot be made"):
        frames = get_task(spec.task).render(spec.transform, *sources)
        if frames.shape != sources[0].shape or frames.dtype != np.uint8:
            raise ValueError(f"it gives {frames.dtype} {frames.shape} for {sources[0].shape}")
        return frames


def _video_requests(spec: VideoSpec, factor: int) -> list[Request]:
    """Returns what the spec's own frames need. If a change borrows frames, also those of the other video, in its own
    shape.
    """
    requests = [((spec.video, _size(spec, factor), spec.decoder), spec.times)]
    source = spec.transform.get("source")
    if source:
        size = target_size(source["height"], source["width"], spec.min_pixels, spec.max_pixels, factor)
        requests.append(((source["video"], size, spec.decoder), tuple(source["times"])))
    return requests


def _size(spec: VideoSpec | ImageSpec, factor: int) -> tuple[int, int]:
    return target_size(spec.height, spec.width, spec.min_pixels, spec.max_pixels, factor)
