"""Opens a video file and lists its frames by demuxing alone; nothing is decoded here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from videossr_verl.video.rejected import RejectReason, VideoRejected, rejecting

# Everything that people keep videos in. Not on the list, on purpose: playlists (they open other files), image
# sequences, and text, which FFmpeg would show as a terminal picture.
CONTAINERS = "mov,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif,mxf,nut,ivf,rm,dv"
MAX_PIXELS = 8192 * 4320  # of one picture; FFmpeg refuses larger ones before it allocates them
MAX_FRAMES = 2_000_000  # of one file: 18 hours at 30 frames/s

NO_TIME = -(2**63)

av.logging.set_level(None)  # damaged files are reported once, as VideoRejected, not by FFmpeg's own lines


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
    return status


@contextmanager
def open_video(path: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream (cover pictures do not count), set up for one-thread decoding.

    Raises:
        VideoRejected: unreadable file, no video in it, or pictures of more than MAX_PIXELS.
    """
    check_file(path)
    with rejecting(RejectReason.NOT_A_VIDEO, f"{path} is not a video, or its index is cut off"):
        # "file:" keeps names such as "a:b.mp4" from being read as a network address.
        container = av.open(
            "file:" + os.path.abspath(path),
            container_options={"format_whitelist": CONTAINERS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    with container:
        with rejecting(RejectReason.NO_VIDEO_STREAM, f"{path} has no video stream that can be decoded"):
            films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not films or films[0].codec_context is None:
                raise VideoRejected(RejectReason.NO_VIDEO_STREAM, f"{path} holds no video stream")
            stream = films[0]
            check_pixels(path, stream.codec_context.width, stream.codec_context.height)
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream


def check_pixels(path: str, width: int, height: int) -> None:
    """VideoRejected(too_large) for pictures of more than MAX_PIXELS."""
    if width * height > MAX_PIXELS:
        raise VideoRejected(
            RejectReason.TOO_LARGE,
            f"{path} has pictures of {width}x{height}; the limit is {MAX_PIXELS} pixels",
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


@dataclass(frozen=True)
class _Packet:
    pts: int
    dts: int
    duration: int
    key: bool
    shown: bool


def _packets(container: InputContainer, stream: VideoStream, path: str) -> Iterator[_Packet]:
    vp8 = stream.codec_context.codec.canonical_name == "vp8"
    packets = media_packets(container, stream)
    for number, packet in enumerate(packets):
        if number >= MAX_FRAMES:
            raise VideoRejected(RejectReason.TOO_LARGE, f"{path} has more than {MAX_FRAMES} frames; cut it")
        # Not shown: frames before an edit list's start, cut packets, and VP8's alternate reference frames.
        shown = not (packet.is_discard or packet.is_corrupt or (vp8 and not bytes(packet)[0] & 0x10))
        yield _Packet(
            NO_TIME if packet.pts is None else packet.pts,
            NO_TIME if packet.dts is None else packet.dts,
            packet.duration or 0,
            packet.is_keyframe,
            shown,
        )


def media_packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """The stream's packets with content, in decoding order, up to the first read error (a damaged tail)."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if packet.size:
            yield packet


def read_index(path: str) -> FrameIndex:
    """Lists the frames of the file by reading it once.

    Raises:
        VideoRejected: see `open_video`; also no_frames, no_timestamps, too_large (above MAX_FRAMES).
    """
    with (
        open_video(path) as (container, stream),
        rejecting(RejectReason.NO_TIMESTAMPS, f"{path} has a damaged list of frames"),
    ):
        packets = list(_packets(container, stream, path))
        shown = [p for p in packets if p.shown]
        if not shown:
            raise VideoRejected(RejectReason.NO_FRAMES, f"{path} has a video stream without frames")
        timed = {p.pts: p for p in shown if p.pts != NO_TIME}
        # AVI stores no presentation times: those that FFmpeg makes up follow the decoding order.
        by_order = container.format.name == "avi" or 2 * len(timed) < len(shown)
        if by_order:
            timed = {p.dts: p for p in shown if p.dts != NO_TIME}
            if len(timed) < len(shown):
                raise VideoRejected(RejectReason.NO_TIMESTAMPS, f"{path} does not say when its frames are shown")
        ticks = np.array(sorted(timed), dtype=np.int64)
        tick = float(stream.time_base)
        if not np.all(np.diff((ticks - ticks[0]) * tick) > 0):
            raise VideoRejected(RejectReason.NO_TIMESTAMPS, f"{path} has frame times that cannot be told apart")
        return FrameIndex(
            ticks=ticks,
            tick=tick,
            last_duration=_last_duration(timed[int(ticks[-1])], ticks, tick, stream),
            by_order=by_order,
            pts=np.array([p.pts for p in packets], dtype=np.int64),
            dts=np.array([p.dts for p in packets], dtype=np.int64),
            key=np.array([p.key for p in packets], dtype=bool),
            codec=stream.codec_context.codec.canonical_name,
            container=container.format.name,
        )


def _last_duration(last: _Packet, ticks: np.ndarray, tick: float, stream: VideoStream) -> float:
    if last.duration > 0:
        return last.duration * tick
    if len(ticks) > 1:
        return float(np.median(np.diff(ticks))) * tick
    return 1 / float(stream.average_rate) if stream.average_rate else 0.0


@lru_cache(maxsize=64)
def _cached_index(path: str, size: int, modified_ns: int) -> FrameIndex:
    return read_index(path)


def frame_index(path: str) -> FrameIndex:
    """`read_index`, remembered while the file does not change."""
    status = check_file(path)
    return _cached_index(os.path.abspath(path), status.st_size, status.st_mtime_ns)
