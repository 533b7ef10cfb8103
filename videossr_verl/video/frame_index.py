"""Lists all frames of a video by demuxing alone. Decodes nothing."""

from __future__ import annotations

import math
import os
import threading
from array import array
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from videossr_verl.video.container import check_file, media_packets, open_video
from videossr_verl.video.rejected import RejectReason, VideoRejected, reading
from videossr_verl.video.timelines import NO_TIME, find_timelines, join_timelines

MAX_FRAMES = 2_000_000  # the most in one file: 18 hours at 30 frames/s
MAX_DURATION = 1e7  # seconds, 115 days: a longer file has damaged time stamps
FRAMES_KEPT = 8_000_000  # the most frames in all remembered lists, 42 bytes each
# After so many seconds without a picture an MPEG stream is taken for another recording, as the program ffmpeg does,
# because its clocks begin at any number. In other containers a long pause is meant.
MAX_PAUSE = {"mpegts": 10.0, "mpeg": 10.0}
INDEXED = ("mov", "matroska")  # containers with an index to seek by


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """All N frames and P packets of a video stream.

    If the file's times start again (recordings joined, clocks set back), its parts follow each other as they are
    stored, each right after the one before.

    Attributes:
        stream: the stream's number in the file.
        ticks: int64 (N,), presentation times in units of `tick` seconds, strictly increasing.
        tick: seconds.
        last_duration: seconds for which the last frame is shown.
        by_order: the container stores no presentation times (AVI): the k-th decoded frame is frame k.
        packet: int64 (N,), the place in decoding order of the packet that holds the frame; not with `by_order`.
        pts: int64 (P,), the packets' presentation times in decoding order, as `ticks`; NO_TIME where there is none.
        dts: int64 (P,), their decoding times as stored, likewise.
        key: bool (P,), whether decoding may start there.
        torn: bool (P,), whether the container misses data in it or in the next one.
        seekable: whether a packet can be found again by its times.
        codec, container: FFmpeg's short names.
    """

    stream: int
    ticks: np.ndarray
    tick: float
    last_duration: float
    by_order: bool
    packet: np.ndarray
    pts: np.ndarray
    dts: np.ndarray
    key: np.ndarray
    torn: np.ndarray
    seekable: bool
    codec: str
    container: str

    @cached_property
    def times(self) -> np.ndarray:
        """float64 (N,), seconds since the first frame."""
        return (self.ticks - self.ticks[0]) * self.tick

    @property
    def duration(self) -> float:
        """Seconds from the first frame's start to the last frame's end."""
        return float(self.times[-1] + self.last_duration)

    def nearest(self, times: np.ndarray) -> np.ndarray:
        """Returns the numbers (T,) of the frames nearest to `times` (seconds since the first frame)."""
        after = np.searchsorted(self.times, times).clip(1, max(len(self.times) - 1, 1))
        after = np.minimum(after, len(self.times) - 1)
        before = np.maximum(after - 1, 0)
        return np.where(times - self.times[before] <= self.times[after] - times, before, after)


@dataclass(frozen=True, eq=False)
class _Packets:
    """P packets in decoding order: times and durations int64 (NO_TIME where there is none), flags bool."""

    pts: np.ndarray
    dts: np.ndarray
    duration: np.ndarray
    key: np.ndarray
    shown: np.ndarray
    torn: np.ndarray


def _list_packets(container: InputContainer, stream: VideoStream, path: str) -> _Packets:
    vp8 = stream.codec_context.codec.canonical_name == "vp8"
    numbers, flags = [array("q") for _ in range(3)], [bytearray() for _ in range(3)]
    for count, packet in enumerate(media_packets(container, stream)):
        if count >= MAX_FRAMES:
            raise VideoRejected(RejectReason.TOO_LARGE, f"{path} has more than {MAX_FRAMES} frames; cut it")
        # Not shown: frames before an edit list's start, cut packets, and VP8's alternate reference frames.
        shown = not (packet.is_discard or packet.is_corrupt or (vp8 and not bytes(packet)[0] & 0x10))
        times = [NO_TIME if t is None else t for t in (packet.pts, packet.dts)]
        for values, value in zip(numbers, (*times, packet.duration or 0), strict=True):
            values.append(value)
        for values, value in zip(flags, (packet.is_keyframe, shown, packet.is_corrupt), strict=True):
            values.append(value)
    return _Packets(*(np.array(v, dtype=np.int64) for v in numbers), *(np.frombuffer(v, dtype=bool) for v in flags))


def read_index(path: str) -> FrameIndex:
    """Lists the frames of the film in the file by reading it once (a file with several video streams: twice).

    Raises:
        VideoRejected: see `open_video`; also no_frames, no_timestamps, too_large (above MAX_FRAMES), timeout.
    """
    with (
        open_video(path) as (container, stream),
        reading(RejectReason.NO_TIMESTAMPS, f"{path} has a damaged list of frames"),
    ):
        packets = _list_packets(container, stream, path)
        shown = int(packets.shown.sum())
        if not shown:
            raise VideoRejected(RejectReason.NO_FRAMES, f"{path} has a video stream without frames")
        assert stream.time_base is not None  # FFmpeg gives each stream of a file one
        tick, name = float(stream.time_base), container.format.name
        starts = find_timelines(packets.pts, packets.shown, packets.key, MAX_PAUSE.get(name, math.inf) / tick)
        times = join_timelines(packets.pts, packets.shown, packets.duration, starts)
        ticks, packet = _first_of_each(times, packets.shown)
        # AVI stores no presentation times: those that FFmpeg makes up follow the decoding order.
        by_order = name == "avi" or 2 * len(ticks) < shown
        if by_order:
            times = packets.dts
            ticks, packet = _first_of_each(times, packets.shown)
            if len(ticks) < shown:
                raise VideoRejected(RejectReason.NO_TIMESTAMPS, f"{path} does not say when its frames are shown")
        _check_times(path, ticks, tick)
        return FrameIndex(
            stream=stream.index,
            ticks=ticks,
            tick=tick,
            last_duration=_last_duration(int(packets.duration[packet[-1]]), ticks, tick, stream),
            by_order=by_order,
            packet=packet,
            pts=times,
            dts=packets.dts,
            key=packets.key,
            torn=_without_seams(packets.torn, starts),
            seekable=len(starts) == 1 and len(ticks) == shown and name.startswith(INDEXED),
            codec=stream.codec_context.codec.canonical_name,
            container=name,
        )


def _without_seams(torn: np.ndarray, starts: list[int]) -> np.ndarray:
    """Returns `torn` without the last two packets of each part. A break there only says that recordings were joined."""
    torn = torn.copy()
    for start in starts[1:]:
        torn[max(0, start - 2) : start] = False
    return torn


def _first_of_each(times: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct times in order, and the first packet of each. Of two packets for one time the first is
    shown.
    """
    timed = np.flatnonzero(shown & (times != NO_TIME))
    ticks, first = np.unique(times[timed], return_index=True)
    return ticks, timed[first]


def _check_times(path: str, ticks: np.ndarray, tick: float) -> None:
    duration = (int(ticks[-1]) - int(ticks[0])) * tick
    if not duration <= MAX_DURATION:
        message = f"{path} has frames {duration:g} s apart; the limit is {MAX_DURATION:g}"
        raise VideoRejected(RejectReason.NO_TIMESTAMPS, message)
    if not np.all(np.diff((ticks - ticks[0]) * tick) > 0):
        raise VideoRejected(RejectReason.NO_TIMESTAMPS, f"{path} has frame times that cannot be told apart")


def _last_duration(last: int, ticks: np.ndarray, tick: float, stream: VideoStream) -> float:
    if 0 < last * tick <= MAX_DURATION:
        return last * tick
    if len(ticks) > 1:
        return float(np.median(np.diff(ticks))) * tick
    return 1 / float(stream.average_rate) if stream.average_rate else 0.0


class _IndexCache:
    """The lists of frames asked for last, with FRAMES_KEPT frames together at most."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, int], FrameIndex] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str, size: int, modified_ns: int) -> FrameIndex:
        key = (path, size, modified_ns)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        index = read_index(path)
        with self._lock:
            self._kept[key] = index
            while sum(len(kept.pts) for kept in self._kept.values()) > FRAMES_KEPT:
                self._kept.popitem(last=False)
        return index


_indexes = _IndexCache()


def frame_index(path: str) -> FrameIndex:
    """Works as `read_index`, and remembers the result while the file does not change."""
    status = check_file(path)
    return _indexes.get(os.path.abspath(path), status.st_size, status.st_mtime_ns)
