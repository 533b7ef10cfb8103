"""A video or an image as a prompt shows it: which frames of which file, when, and what is changed in them.

Small JSON-like data; pixels exist only while a sample is drawn or rendered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from videossr_verl.video import spec_limits
from videossr_verl.video.decode import DEFAULT_DECODER


class VideoItem(TypedDict):
    """A `VideoSpec` in a row; `transform` is JSON text, as its shape differs by task. Older rows have no `order`."""

    video: str
    times: list[float]
    clock: list[float]
    width: int
    height: int
    min_pixels: int
    max_pixels: int
    task: str
    transform: str
    decoder: str
    order: NotRequired[list[int] | None]


class ImageItem(TypedDict):
    """An `ImageSpec` in a row; the file stands under verl's own key for it."""

    image: str
    time: float
    width: int
    height: int
    min_pixels: int
    max_pixels: int
    decoder: str


@dataclass(frozen=True)
class VideoSpec:
    """One video of a prompt: which frames of which file, when they are shown, and what is changed in them.

    Attributes:
        video: path of the source file, relative to the data root.
        times: T source times in seconds (the file's first frame is 0), one per shown frame; T is even.
        clock: T seconds, the clock of the model and of the labels. It starts at the first frame that the prompt
            shows, so at 0, but for a later part of the same video.
        width, height: size of the source picture as shown (after rotation), pixels.
        min_pixels, max_pixels: limits of H * W after the resize.
        task: name of the task whose `render` makes the change.
        transform: the change, as JSON data; empty when the frames are shown as they are.
        decoder: what reads the file, see `video.decode`.
        order: T numbers of frames, from 0: which of the changed frames stands in each place, for controls of a data set
            (`rows.controls`). None: each stands in its own.
    """

    video: str
    times: tuple[float, ...]
    clock: tuple[float, ...]
    width: int
    height: int
    min_pixels: int
    max_pixels: int
    task: str
    transform: Mapping[str, Any] = field(default_factory=dict)
    decoder: str = DEFAULT_DECODER
    order: tuple[int, ...] | None = None

    def to_row(self) -> VideoItem:
        """Returns the entry of a parquet row's `videos` list."""
        return {
            "video": self.video,
            "times": [round(t, 6) for t in self.times],
            "clock": [round(t, 6) for t in self.clock],
            "width": self.width,
            "height": self.height,
            "min_pixels": self.min_pixels,
            "max_pixels": self.max_pixels,
            "task": self.task,
            "transform": json.dumps(self.transform, sort_keys=True, separators=(",", ":")),
            "decoder": self.decoder,
            "order": None if self.order is None else list(self.order),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> VideoSpec:
        """Makes a spec from what `to_row` gives, and ignores other keys of `row`.

        Raises:
            VideoRejected: bad_row, a value is missing, of another type, or beyond `spec_limits`.
        """
        video = spec_limits.read_name(row)
        times, clock = (spec_limits.read_times(row, key, video) for key in ("times", "clock"))
        spec_limits.check_clock(video, times, clock)
        return cls(
            video=video,
            times=times,
            clock=clock,
            **spec_limits.read_sizes(row, video),
            task=str(row.get("task")),
            transform=spec_limits.read_transform(row, video),
            decoder=spec_limits.read_decoder(row, video),
            order=spec_limits.read_order(row, video, len(times)),
        )


@dataclass(frozen=True)
class ImageSpec:
    """One image of a prompt: a frame of a video, shown without its time.

    Attributes:
        video: path of the source file, relative to the data root.
        time: source time in seconds.
        width, height, min_pixels, max_pixels, decoder: as in `VideoSpec`.
    """

    video: str
    time: float
    width: int
    height: int
    min_pixels: int
    max_pixels: int
    decoder: str = DEFAULT_DECODER

    def to_row(self) -> ImageItem:
        """Returns the entry of a parquet row's `images` list."""
        return {
            "image": self.video,
            "time": round(self.time, 6),
            "width": self.width,
            "height": self.height,
            "min_pixels": self.min_pixels,
            "max_pixels": self.max_pixels,
            "decoder": self.decoder,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> ImageSpec:
        """Makes a spec from what `to_row` gives, as `VideoSpec.from_row` does."""
        video = spec_limits.read_name(row, "image")
        (time,) = spec_limits.read_times({"time": [row.get("time")]}, "time", video)
        decoder = spec_limits.read_decoder(row, video)
        return cls(video=video, time=time, **spec_limits.read_sizes(row, video), decoder=decoder)
