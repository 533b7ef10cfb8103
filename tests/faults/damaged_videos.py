"""Small videos in many codecs and containers, and ways to damage their bytes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FRAMES, HEIGHT, WIDTH, FPS = 60, 144, 176, 25
_H264 = {"g": "20", "bf": "2", "preset": "veryfast"}
# name -> codec, its options
VIDEOS = {
    "h264.mp4": ("libx264", _H264),
    "h264.mkv": ("libx264", _H264),
    "h264.ts": ("libx264", _H264),
    "h264.avi": ("libx264", _H264),
    "h264_open_groups.mp4": ("libx264", _H264 | {"x264-params": "open-gop=1"}),
    "mpeg4.avi": ("mpeg4", {"g": "20", "bf": "2"}),
    "mpeg4.mp4": ("mpeg4", {"g": "20", "bf": "2"}),
    "mpeg2.ts": ("mpeg2video", {"g": "15", "bf": "2"}),
    "mpeg2.mkv": ("mpeg2video", {"g": "15", "bf": "2"}),
    "av1.mp4": ("libsvtav1", {"g": "20", "preset": "10"}),
    "hevc.mp4": ("libx265", {"x265-params": "log-level=none:keyint=20:pools=1"}),
    "vp9.webm": ("libvpx-vp9", {"g": "20", "deadline": "realtime", "cpu-used": "8"}),
}
# Their decoders take flipped bits for other pictures, without any error.
WITHOUT_ERRORS = ("hevc.mp4", "vp9.webm")
DAMAGES = ("flipped bits", "hole", "noise", "lost bytes", "cut")


def moving_picture(number: int) -> np.ndarray:
    """uint8 (H, W, 3): a landscape that passes by, a square that crosses it the other way, and a camera's noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 200, (HEIGHT // 8, WIDTH // 4, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    noise = np.random.default_rng(number).integers(0, 50, (HEIGHT, WIDTH, 1), np.uint8)
    picture = coarse[:, 2 * number : 2 * number + WIDTH] + noise
    at = WIDTH - 50 - 2 * number
    picture[40:88, at : at + 48] = rng.integers(0, 255, (48, 48, 3), np.uint8)
    return picture


def write(path: Path) -> Path:
    """The video called `path.name` in VIDEOS."""
    codec, options = VIDEOS[path.name]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.height, stream.width, stream.pix_fmt, stream.options = HEIGHT, WIDTH, "yuv420p", options
        stream.codec_context.thread_count = 1
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(moving_picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def damage(content: bytes, kind: str, rng: np.random.Generator) -> bytes:
    """The bytes of a video after one of DAMAGES, somewhere behind the first kilobyte."""
    data, first = bytearray(content), 1000
    length = int(rng.choice([50, 500, 3000]))
    at = int(rng.integers(first, len(data) - length))
    if kind == "flipped bits":
        for place in rng.integers(first, len(data), rng.choice([1, 5, 30])):
            data[place] ^= 1 << int(rng.integers(8))
    elif kind == "hole":
        data[at : at + length] = bytes(length)
    elif kind == "noise":
        data[at : at + length] = rng.bytes(length)
    elif kind == "lost bytes":
        del data[at : at + length]
    else:
        del data[int(rng.integers(len(data) // 4, len(data))) :]
    return bytes(data)
