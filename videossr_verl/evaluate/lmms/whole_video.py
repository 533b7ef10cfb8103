"""A whole video file as a model is shown it: so many frames a second, at most so many, evenly spread."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from videossr_verl.video.container import check_pixels
from videossr_verl.video.frame_index import frame_index
from videossr_verl.video.probe import first_frame, quarter_turns
from videossr_verl.video.rejected import RejectReason, VideoRejected
from videossr_verl.video.specs import VideoSpec


@dataclass(frozen=True)
class FramePolicy:
    """How a video's frames are chosen. VideoSSR evaluates at 2 frames a second, at most 32, 48 or 64, of 128^2 to 512^2
    pixels (A.2).

    Attributes:
        fps: None takes `max_frames` frames, however long the video is.
        max_frames: even.
        min_pixels, max_pixels: limits of H * W after the resize.
    """

    fps: float | None = 2.0
    max_frames: int = 32
    min_pixels: int = 128 * 128
    max_pixels: int = 512 * 512


def whole_video(
    path: str | os.PathLike[str], policy: FramePolicy, start: float | None = None, end: float | None = None
) -> VideoSpec:
    """Returns the frames that qwen-vl-utils would take, but named by their true times.

    Args:
        start, end: seconds; only frames between them are shown, and the clock starts at the first of these.

    Raises:
        VideoRejected: the file cannot be read, or has too few frames there.
    """
    from qwen_vl_utils.vision_process import smart_nframes

    path = os.path.abspath(path)
    index = frame_index(path)
    first = first_frame(path, index.stream)
    check_pixels(path, first.width, first.height)
    pts = np.asarray(index.times)
    pts = pts[(pts >= (start or 0.0)) & (pts <= (np.inf if end is None else end))]
    if len(pts) < 2:
        raise VideoRejected(RejectReason.TOO_FEW_FRAMES, f"{path} has {len(pts)} frames to show; 2 are needed")
    most = min(policy.max_frames, len(pts)) // 2 * 2
    wanted = {"nframes": most} if policy.fps is None else {"fps": policy.fps, "max_frames": most}
    count = smart_nframes(wanted, total_frames=len(pts), video_fps=len(index.times) / index.duration)
    times = pts[np.linspace(0, len(pts) - 1, int(count)).round().astype(int)]
    turned = quarter_turns(first) % 2
    return VideoSpec(
        video=path.lstrip("/"),
        times=tuple(times.tolist()),
        clock=tuple((times - times[0]).tolist()),
        width=first.height if turned else first.width,
        height=first.width if turned else first.height,
        min_pixels=policy.min_pixels,
        max_pixels=policy.max_pixels,
        task="",
    )
