"""Chooses the frames of a video that are shown: a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from videossr_verl.video.decode import DECODERS, DEFAULT_DECODER
from videossr_verl.video.probe import VideoInfo
from videossr_verl.video.rejected import RejectReason, VideoRejected
from videossr_verl.video.specs import ImageSpec, VideoSpec


@dataclass(frozen=True)
class ClipSettings:
    """How clips are cut; VideoSSR's values by default (48 frames of the middle 90 %, 128^2 to 256^2 pixels).

    Attributes:
        num_frames: T, even and at least 2. With `fps` it is the most that a clip takes.
        fps: None spreads T frames evenly over the window; a number takes frames at that rate from the
            window's start (a source with fewer frames per second gives each of its frames once). Two numbers are the
            lowest and the highest rate: the lowest is doubled, up to the highest, until there are `min_frames`.
        min_frames: see `fps`.
        margin: share of the duration that is left out at each end, 0 to below 0.5.
        min_pixels, max_pixels: limits of H * W after the resize.
        decoder: what reads the files, see `decode`.
    """

    num_frames: int = 48
    fps: float | tuple[float, float] | None = None
    min_frames: int = 2
    margin: float = 0.05
    min_pixels: int = 128 * 128
    max_pixels: int = 256 * 256
    decoder: str = DEFAULT_DECODER

    def __post_init__(self) -> None:
        if self.num_frames < 2 or self.num_frames % 2:
            raise ValueError(f"num_frames must be even and at least 2, got {self.num_frames}")
        limits = self.fps if isinstance(self.fps, tuple) else () if self.fps is None else (self.fps,)
        if not all(0 < rate < float("inf") for rate in limits):
            raise ValueError(f"fps must be above 0 frames per second, or None, got {self.fps}")
        if isinstance(self.fps, tuple) and (len(limits) != 2 or limits[0] > limits[1]):
            raise ValueError(f"fps must be one rate, or the lowest and the highest one, got {list(limits)}")
        if self.min_frames < 2:
            raise ValueError(f"min_frames must be at least 2, got {self.min_frames}")
        if not 0 <= self.margin < 0.5:
            raise ValueError(f"margin must be from 0 to below 0.5 (the share cut at each end), got {self.margin}")
        if not 0 < self.min_pixels <= self.max_pixels:
            raise ValueError(f"need 0 < min_pixels <= max_pixels, got {self.min_pixels} and {self.max_pixels}")
        if self.decoder not in DECODERS:
            raise ValueError(f"decoder must be one of {', '.join(DECODERS)}, got '{self.decoder}'")

    @property
    def rates(self) -> list[float]:
        """The frames per second to try, rising; none where the frames are spread evenly."""
        if not isinstance(self.fps, tuple):
            return [] if self.fps is None else [self.fps]
        rates = [self.fps[0]]
        while 2 * rates[-1] <= self.fps[-1]:
            rates.append(2 * rates[-1])
        return rates


@dataclass(frozen=True)
class Clip:
    """The frames of one video that a sample is made of.

    Attributes:
        video: path relative to the data root.
        content_id, width, height: as in `VideoInfo`.
        pts: all N source times, seconds since the first frame.
        times: T of them, strictly increasing, T even: the frames that are shown.
        window: (start, end) in source seconds: the part of the video that may be shown.
        min_pixels, max_pixels, decoder: as in `ClipSettings`.
    """

    video: str
    content_id: str
    width: int
    height: int
    pts: tuple[float, ...]
    times: tuple[float, ...]
    window: tuple[float, float]
    min_pixels: int
    max_pixels: int
    decoder: str = DEFAULT_DECODER

    @property
    def clock(self) -> tuple[float, ...]:
        """T seconds since the first shown frame."""
        return tuple(t - self.times[0] for t in self.times)

    def spec(
        self,
        task: str,
        transform: Mapping[str, Any] | None = None,
        times: Sequence[float] | None = None,
        clock: Sequence[float] | None = None,
    ) -> VideoSpec:
        """Returns the row entry that shows this clip, or other source `times` of it, on `clock`.

        Without `clock` it follows from the times; give it where shown time is not source time (slow motion,
        pieces out of order).
        """
        times = self.times if times is None else tuple(times)
        clock = tuple(t - times[0] for t in times) if clock is None else tuple(clock)
        if len(clock) != len(times) or len(times) % 2 or not times:
            raise ValueError(f"need as many clock values as times, an even count, got {len(clock)} and {len(times)}")
        return VideoSpec(
            video=self.video,
            times=times,
            clock=clock,
            width=self.width,
            height=self.height,
            min_pixels=self.min_pixels,
            max_pixels=self.max_pixels,
            task=task,
            transform=dict(transform or {}),
            decoder=self.decoder,
        )

    def image_spec(self, time: float) -> ImageSpec:
        """Returns the row entry that shows the frame at source `time` as an image."""
        return ImageSpec(self.video, time, self.width, self.height, self.min_pixels, self.max_pixels, self.decoder)


def sample_clip(info: VideoInfo, video: str, settings: ClipSettings) -> Clip:
    """Chooses the frames as VideoSSR does, but by true times, never by frame number / mean rate.

    Args:
        info: the probed video.
        video: its path relative to the data root, as it shall stand in the rows.

    Raises:
        VideoRejected: too_few_frames or too_short.
    """
    window = (settings.margin * info.duration, (1 - settings.margin) * info.duration)
    pts = np.asarray(info.pts)
    usable = pts[(pts >= window[0]) & (pts <= window[1])]
    times = _uniform(usable, settings, info) if settings.fps is None else _at_first_rate(usable, settings, info)
    return Clip(
        video=video,
        content_id=info.content_id,
        width=info.width,
        height=info.height,
        pts=info.pts,
        times=tuple(times.tolist()),
        window=window,
        min_pixels=settings.min_pixels,
        max_pixels=settings.max_pixels,
        decoder=settings.decoder,
    )


def _uniform(usable: np.ndarray, settings: ClipSettings, info: VideoInfo) -> np.ndarray:
    count = settings.num_frames
    if len(usable) < count:
        raise VideoRejected(
            RejectReason.TOO_FEW_FRAMES,
            f"{info.path} has {len(usable)} frames in the middle {1 - 2 * settings.margin:.0%} of its "
            f"{info.duration:.2f} s; {count} are needed",
        )
    wanted = _nearest(usable, np.linspace(usable[0], usable[-1], count))
    # If two times share a frame (pauses in the source), one moves to the next free frame, first up, then back.
    steps = np.arange(count)
    wanted = np.maximum.accumulate(wanted - steps) + steps
    return usable[np.minimum(wanted, len(usable) - count + steps)]


def _at_first_rate(usable: np.ndarray, settings: ClipSettings, info: VideoInfo) -> np.ndarray:
    """Cuts at the first of the rates that gives `min_frames`, or else at the last."""
    for rate in settings.rates:
        chosen = _at_rate(usable, rate)[: settings.num_frames]
        if len(chosen) >= settings.min_frames:
            break
    if len(chosen) < 2:
        raise VideoRejected(
            RejectReason.TOO_SHORT,
            f"{info.path} is too short: {(1 - 2 * settings.margin) * info.duration:.2f} usable seconds give fewer than "
            f"2 frames at {settings.rates[-1]:g} frames per second",
        )
    return chosen[: len(chosen) // 2 * 2]


def _at_rate(usable: np.ndarray, fps: float) -> np.ndarray:
    since = usable - usable[:1]
    # Slots 1 / fps apart, the last one not beyond the last frame; the nearest frame stands for each.
    slot = np.minimum(np.rint(since * fps), np.floor(since[-1:] * fps + 1e-6))
    order = np.lexsort((np.abs(since - slot / fps), slot))
    _, best = np.unique(slot[order], return_index=True)
    return usable[order[best]]


def _nearest(sorted_times: np.ndarray, targets: np.ndarray) -> np.ndarray:
    after = np.searchsorted(sorted_times, targets).clip(1, len(sorted_times) - 1)
    before = after - 1
    return np.where(targets - sorted_times[before] <= sorted_times[after] - targets, before, after)
