"""The pixels of a row as files. Frames with and without a change are encoded alike, so no trace of the encoder tells
which are which.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image

from videossr_verl.prompt.render import render
from videossr_verl.rows.schema import Row
from videossr_verl.video.probe_record import Failure
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.size import target_size
from videossr_verl.video.specs import ImageSpec, VideoSpec

FORMATS = ("frames", "mp4")

_JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}
# Each frame by itself (g=1), so that no frame holds anything of its neighbours.
_X264 = {"crf": "12", "preset": "veryfast", "g": "1", "threads": "1"}
_CLOCK = 90_000  # ticks a second


class VideoFiles(NamedTuple):
    """A video of a prompt.

    Attributes:
        files: one file for each frame, or one for all; relative to the exported folder.
        times: seconds of each frame on the model's clock.
        size: height and width, pixels.
    """

    files: list[str]
    times: list[float]
    size: tuple[int, int]

    @property
    def one_file(self) -> bool:
        """Whether it is an mp4."""
        return self.files[0].endswith(".mp4")

    @property
    def rate(self) -> float:
        """Frames a second."""
        seconds = self.times[-1] - self.times[0]
        return (len(self.times) - 1) / seconds if seconds > 0 else 2.0  # a frame that is repeated has no rate


class ImageFile(NamedTuple):
    """An image of a prompt: its file, relative to the exported folder, and height and width, pixels."""

    file: str
    size: tuple[int, int]


class Media(NamedTuple):
    """The videos and images of a prompt, in its order."""

    videos: list[VideoFiles]
    images: list[ImageFile]


def name_files(row: Row, name: str, form: str, factor: int) -> Media:
    """Returns the files that `write_files` writes: JPEG frames or H.264 videos, by `form`; images are JPEG in both.

    Args:
        name: of the row; its files' names begin with it.
        form: of FORMATS.
        factor: frame sizes are multiples of it, see `video.size`.
    """
    videos = []
    for number, spec in enumerate(map(VideoSpec.from_row, row["videos"])):
        one = f"{name}_{number}"
        files = [f"{one}.mp4"] if form == "mp4" else [f"{one}/{i:03d}.jpg" for i in range(len(spec.times))]
        videos.append(VideoFiles(files, list(spec.clock), _size(spec, factor)))
    images = enumerate(map(ImageSpec.from_row, row["images"]))
    return Media(videos, [ImageFile(f"{name}_image_{number}.jpg", _size(spec, factor)) for number, spec in images])


def write_files(row: Row, media: Media, folder: Path, data_root: str, factor: int) -> int | Failure:
    """Writes what the row's prompt shows into `media`'s files below `folder`.

    Returns their bytes, or why a video cannot be shown as the row says.

    Raises:
        MachineError: a file cannot be read now.
        OSError: a file cannot be written.
    """
    videos, images = [VideoSpec.from_row(v) for v in row["videos"]], [ImageSpec.from_row(i) for i in row["images"]]
    try:
        shown, pictures = render(videos, images, data_root, factor)
    except VideoRejected as error:
        return Failure(error.reason.value, str(error))
    written = [*(image.file for image in media.images), *(file for video in media.videos for file in video.files)]
    for file in written:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
    for video, (tensor, _) in zip(media.videos, shown, strict=True):
        frames = tensor.numpy().transpose(0, 2, 3, 1)
        if video.one_file:
            _write_mp4(folder / video.files[0], frames, video)
            continue
        for file, frame in zip(video.files, frames, strict=True):
            Image.fromarray(frame).save(folder / file, **_JPEG)
    for image, picture in zip(media.images, pictures, strict=True):
        picture.save(folder / image.file, **_JPEG)
    return sum((folder / file).stat().st_size for file in written)


def _size(spec: VideoSpec | ImageSpec, factor: int) -> tuple[int, int]:
    return target_size(spec.height, spec.width, spec.min_pixels, spec.max_pixels, factor)


def _write_mp4(file: Path, frames: np.ndarray, video: VideoFiles) -> None:
    """Writes frames (T, H, W, 3) uint8 as H.264, each at its time."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(video.rate).limit_denominator(1000), options=_X264)
        stream.height, stream.width = video.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _CLOCK)
        for frame, tick in zip(frames, _ticks(video), strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = tick, Fraction(1, _CLOCK)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def _ticks(video: VideoFiles) -> Sequence[int]:
    """Returns each frame's tick; where two frames have one time, evenly spaced ones."""
    ticks = [round((time - video.times[0]) * _CLOCK) for time in video.times]
    if all(a < b for a, b in pairwise(ticks)):
        return ticks
    return [round(i * _CLOCK / video.rate) for i in range(len(ticks))]
