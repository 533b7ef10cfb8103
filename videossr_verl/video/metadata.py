"""What processors and vLLM learn about the time of a video's frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

# Frame indices count milliseconds, so that uneven frame times stay true.
CLOCK_HZ = 1000.0


class Metadata(TypedDict):
    """Of one video: `frames_indices[i] / fps` is the i-th frame's time, `duration` is in seconds."""

    fps: float
    frames_indices: list[int]
    total_num_frames: int
    duration: float
    video_backend: str


def video_metadata(clock: Sequence[float]) -> Metadata:
    """Returns the metadata of T frames shown at `clock` (seconds, increasing, T >= 2).

    `total_num_frames` makes the processors' "sampled fps",
    T / (total / fps), the mean frame rate: Qwen2.5-VL derives its time axis from it.
    """
    num_frames = len(clock)
    interval = (clock[-1] - clock[0]) / (num_frames - 1)
    total = max(1, round(CLOCK_HZ * interval * num_frames))
    return {
        "fps": CLOCK_HZ,
        "frames_indices": [round(CLOCK_HZ * t) for t in clock],
        "total_num_frames": total,
        "duration": total / CLOCK_HZ,
        "video_backend": "videossr",
    }
