"""Opens a video file and lists its frames by demuxing alone; nothing is decoded here."""

from __future__ import annotations

import ctypes
import os
import stat
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import av
import av._core
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from videossr_verl.video.mp4_tables import check_tables, looks_like_mp4
from videossr_verl.video.rejected import RejectReason, VideoRejected, rejecting

# Everything that people keep videos in. Not on the list, on purpose: playlists (they open other files), image
# sequences, text, which FFmpeg would show as a terminal picture, and MXF, whose index may claim any length. MP4 and
# MOV are added for files whose tables can be checked first.
CONTAINERS = "matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif,nut,ivf,rm,dv"
MAX_BYTES = 100_000_000_000  # of one file: to tell its content, all of it is read
MAX_PIXELS = 8192 * 4320  # of one picture; FFmpeg refuses larger ones before it allocates them
MAX_SIDE = 16384  # of one picture: a strip of one line costs the scaler as much as a large picture
MAX_FRAMES = 2_000_000  # of one file: 18 hours at 30 frames/s
MAX_DURATION = 1e7  # seconds, 115 days: what is longer has damaged time stamps
MAX_SECONDS = 600.0  # for reading or decoding one file once; the build gives up after as many
FRAMES_KEPT = 8_000_000  # in the lists of frames that are remembered, 33 bytes each
# Bytes of any one block of FFmpeg's memory: the 4 bytes of a pixel at most, and a part more. A file may claim tables
# and pictures of any size, and is only found out when they have been made.
MAX_BLOCK = 9 * MAX_PIXELS // 2

NO_TIME = -(2**63)

av.logging.set_level(None)  # damaged files are reported once, as VideoRejected, not by FFmpeg's own lines
# PyAV does not offer this function of FFmpeg; its module is linked with the FFmpeg that it uses.
ctypes.CDLL(av._core.__file__).av_max_alloc(ctypes.c_size_t(MAX_BLOCK))


def check_file(path: str) -> os.stat_result:
    """The file's status; VideoRejected when there is no readable file with content at `path`."""
    try:
        status = os.stat(path)
        regular = stat.S_ISREG(status.st_mode)
        if regular:  # opening a pipe or a device could wait for ever
            open(path, "rb").close()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VideoRejected(RejectReason.MISSING, f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise VideoRejected(RejectReason.UNREADABLE, f"{path} cannot be read: {error}") from error
    if not regular:
        raise VideoRejected(RejectReason.NOT_A_FILE, f"{path} is not a regular file")
    if status.st_size == 0:
        raise VideoRejected(RejectReason.EMPTY_FILE, f"{path} is empty (0 bytes)")
    if status.st_size > MAX_BYTES:
        gigabytes = (status.st_size / 1e9, MAX_BYTES / 1e9)
        raise VideoRejected(RejectReason.TOO_LARGE, "{} has {:.0f} GB; the limit is {:.0f}".format(path, *gigabytes))
    return status


@contextmanager
def open_video(path: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream (cover pictures do not count), set up for one-thread decoding.

    Raises:
        VideoRejected: unreadable file, no video in it, tables of too many entries, or pictures of more than MAX_PIXELS.
    """
    check_file(path)
    formats = CONTAINERS
    if looks_like_mp4(path):
        check_tables(path, MAX_BLOCK)
        formats += ",mov"
    limits = {"max_pixels": str(MAX_PIXELS)}
    with rejecting(RejectReason.NOT_A_VIDEO, f"{path} is not a video, or its index is cut off"):
        # "file:" keeps names such as "a:b.mp4" from being read as a network address.
        container = av.open(
            "file:" + os.path.abspath(path),
            container_options={"format_whitelist": formats, "protocol_whitelist": "file"},
            options=limits,  # opening decodes a picture where the header does not tell all
            metadata_errors="replace",
            timeout=MAX_SECONDS,
        )
    with container:
        with rejecting(RejectReason.NO_VIDEO_STREAM, f"{path} has no video stream that can be decoded"):
            films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not films or films[0].codec_context is None:
                raise VideoRejected(RejectReason.NO_VIDEO_STREAM, f"{path} holds no video stream")
            stream = films[0]
            check_pixels(path, stream.codec_context.width, stream.codec_context.height)
            stream.codec_context.thread_count = 1
            stream.codec_context.options = limits
        yield container, stream


def check_pixels(path: str, width: int, height: int) -> None:
    """VideoRejected(too_large) for pictures of more than MAX_PIXELS, or with a side above MAX_SIDE."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise VideoRejected(
            RejectReason.TOO_LARGE,
            f"{path} has pictures of {width}x{height}; the limit is {MAX_PIXELS} pixels, and {MAX_SIDE} for a side",
        )


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """All N frames and P packets of a video stream.

    Attributes:
        ticks: int64 (N,), presentation times in units of `tick` seconds, strictly increasing.
        tick: seconds.
        last_duration: seconds for which the last frame is shown.
        by_order: the container stores no presentation times (AVI): the k-th decoded frame is frame k.
        pts: int64 (P,), the packets' presentation times in decoding order; NO_TIME where there is none.
        dts: int64 (P,), their decoding times, likewise.
        key: bool (P,), whether decoding may start there.
        codec, container: FFmpeg's short names.
    """

    ticks: np.ndarray
    tick: float
    last_duration: float
    by_order: bool
    pts: np.ndarray
    dts: np.ndarray
    key: np.ndarray
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

    def number(self, ticks: int | None) -> int | None:
        """The number of the frame shown at exactly `ticks`, or None."""
        if ticks is None:
            return None
        at = int(np.searchsorted(self.ticks, ticks))
        return at if at < len(self.ticks) and self.ticks[at] == ticks else None

    def nearest(self, times: np.ndarray) -> np.ndarray:
        """The numbers (T,) of the frames nearest to `times` (seconds since the first frame)."""
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


def _list_packets(container: InputContainer, stream: VideoStream, path: str) -> _Packets:
    vp8 = stream.codec_context.codec.canonical_name == "vp8"
    numbers, flags = [array("q") for _ in range(3)], [bytearray() for _ in range(2)]
    for count, packet in enumerate(media_packets(container, stream)):
        if count >= MAX_FRAMES:
            raise VideoRejected(RejectReason.TOO_LARGE, f"{path} has more than {MAX_FRAMES} frames; cut it")
        # Not shown: frames before an edit list's start, cut packets, and VP8's alternate reference frames.
        shown = not (packet.is_discard or packet.is_corrupt or (vp8 and not bytes(packet)[0] & 0x10))
        times = [NO_TIME if t is None else t for t in (packet.pts, packet.dts)]
        for values, value in zip(numbers, (*times, packet.duration or 0), strict=True):
            values.append(value)
        for values, value in zip(flags, (packet.is_keyframe, shown), strict=True):
            values.append(value)
    return _Packets(*(np.array(v, dtype=np.int64) for v in numbers), *(np.frombuffer(v, dtype=bool) for v in flags))


def media_packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """The stream's packets with content, in decoding order, up to the first read error (a damaged tail).

    Raises:
        VideoRejected: timeout, MAX_SECONDS after the first one was asked for, what the caller did with them included.
    """
    packets = container.demux(stream)
    deadline = time.monotonic() + MAX_SECONDS
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if time.monotonic() > deadline:
            path = container.name.removeprefix("file:")
            raise VideoRejected(RejectReason.TIMEOUT, f"{path} is not read or decoded after {MAX_SECONDS:.0f} s")
        if packet.size:
            yield packet


def read_index(path: str) -> FrameIndex:
    """Lists the frames of the file by reading it once.

    Raises:
        VideoRejected: see `open_video`; also no_frames, no_timestamps, too_large (above MAX_FRAMES), timeout.
    """
    with (
        open_video(path) as (container, stream),
        rejecting(RejectReason.NO_TIMESTAMPS, f"{path} has a damaged list of frames"),
    ):
        packets = _list_packets(container, stream, path)
        shown = int(packets.shown.sum())
        if not shown:
            raise VideoRejected(RejectReason.NO_FRAMES, f"{path} has a video stream without frames")
        times, ticks = packets.pts, _distinct(packets.pts, packets.shown)
        # AVI stores no presentation times: those that FFmpeg makes up follow the decoding order.
        by_order = container.format.name == "avi" or 2 * len(ticks) < shown
        if by_order:
            times, ticks = packets.dts, _distinct(packets.dts, packets.shown)
            if len(ticks) < shown:
                raise VideoRejected(RejectReason.NO_TIMESTAMPS, f"{path} does not say when its frames are shown")
        tick = float(stream.time_base)
        duration = (int(ticks[-1]) - int(ticks[0])) * tick
        if not duration <= MAX_DURATION:
            told = f"{path} has frames {duration:g} s apart; the limit is {MAX_DURATION:g}"
            raise VideoRejected(RejectReason.NO_TIMESTAMPS, told)
        if not np.all(np.diff((ticks - ticks[0]) * tick) > 0):
            raise VideoRejected(RejectReason.NO_TIMESTAMPS, f"{path} has frame times that cannot be told apart")
        last = int(packets.duration[np.flatnonzero(packets.shown & (times == ticks[-1]))[-1]])
        return FrameIndex(
            ticks=ticks,
            tick=tick,
            last_duration=_last_duration(last, ticks, tick, stream),
            by_order=by_order,
            pts=packets.pts,
            dts=packets.dts,
            key=packets.key,
            codec=stream.codec_context.codec.canonical_name,
            container=container.format.name,
        )


def _distinct(times: np.ndarray, shown: np.ndarray) -> np.ndarray:
    return np.unique(times[shown & (times != NO_TIME)])


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
    """`read_index`, remembered while the file does not change."""
    status = check_file(path)
    return _indexes.get(os.path.abspath(path), status.st_size, status.st_mtime_ns)
