"""A rendered sample as a video file, for models of lmms-eval that take nothing else.

Encoded once, nearly without loss, clean and changed frames alike; each frame stands at its true time.
"""

from __future__ import annotations

import json
import os
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path

import av
import numpy as np

from videossr_verl.families import qwen2_5_vl
from videossr_verl.files.whole_file import whole_file
from videossr_verl.prompt.render import render
from videossr_verl.video.specs import VideoSpec

CLOCK = 90_000  # ticks of a second, as usual in MP4
ENCODING = {"crf": "6", "preset": "fast"}


def video_file(spec: VideoSpec, folder: str | os.PathLike[str]) -> str:
    """Returns the path of the MP4 in `folder` that shows `spec`, whose paths are relative to "/". Makes the file if it
    is missing.

    Raises:
        VideoRejected: the source cannot be shown.
        OSError: the folder cannot be written.
    """
    name = blake2b(json.dumps(spec.to_row(), sort_keys=True).encode(), digest_size=12).hexdigest()
    path = Path(folder) / f"{name}.mp4"
    if path.exists():
        return str(path)
    ((frames, _),), _ = render([spec], [], "/", qwen2_5_vl.FACTOR)  # even, as the encoder needs
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        _encode(frames.permute(0, 2, 3, 1).numpy(), spec.clock, partial)
    return str(path)


def _encode(frames: np.ndarray, clock: tuple[float, ...], path: Path) -> None:
    """Encodes uint8 (T, H, W, 3), shown at `clock` seconds."""
    with av.open(path, "w", format="mp4") as container:
        rate = Fraction((len(clock) - 1) / (clock[-1] - clock[0])).limit_denominator(1000)
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.codec_context.options = "yuv420p", ENCODING
        stream.codec_context.time_base = stream.time_base = Fraction(1, CLOCK)
        for picture, time in zip(frames, clock, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = round((time - clock[0]) * CLOCK)
            frame.time_base = Fraction(1, CLOCK)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
