"""Opens a video file, within limits, at the stream that is the film. Decodes nothing."""

from __future__ import annotations

import ctypes
import os
import stat
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
import av._core
import av.logging
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from videossr_verl.errors import MachineError
from videossr_verl.video.memory import MAX_BLOCK, MAX_PIXELS, memory_is_left
from videossr_verl.video.mp4_tables import check_tables, looks_like_mp4
from videossr_verl.video.rejected import RejectReason, VideoRejected, reading
from videossr_verl.video.source_file import SourceFile, opening

# Everything that people keep videos in. These are left out on purpose: playlists (they open other files), image
# sequences, text (FFmpeg would show it as a terminal's picture), and MXF (its index may claim any length). MP4 and MOV
# are added for files whose tables can be checked first.
CONTAINERS = "matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif,nut,ivf,rm,dv"
MAX_BYTES = 100_000_000_000  # the most of one file, because all of it is read to identify its content
MAX_SIDE = (
    16384  # the longest side of a picture: the scaler pays as much for a strip of one line as for a large picture
)
MAX_SECONDS = 600.0  # the time to read or decode one file once; the build gives up after as long

STILLS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
LIMITS = {"max_pixels": str(MAX_PIXELS)}
PYAV = tuple(map(int, av.__version__.split(".")[:2]))
# If the header does not tell all, opening a file decodes a picture. PyAV before 17.1 crashes on options if streams are
# found late (FLV), so there only MAX_BLOCK limits that picture.
OPENING: dict[str, Any] = {"options": LIMITS} if PYAV >= (17, 1) else {}
if PYAV < (19, 0):  # from 19 on it replaces what is no text by itself, and does not know the option
    OPENING["metadata_errors"] = "replace"

av.logging.set_level(None)  # VideoRejected reports a damaged file once, so FFmpeg's own lines are not needed
# PyAV does not offer this function of FFmpeg; its module is linked with the FFmpeg that it uses.
ctypes.CDLL(av._core.__file__).av_max_alloc(ctypes.c_size_t(MAX_BLOCK))


def check_file(path: str) -> os.stat_result:
    """Returns the file's status. Raises VideoRejected if there is no readable file with content at `path`, or
    MachineError.
    """
    with opening(path):
        status = os.stat(path)
        regular = stat.S_ISREG(status.st_mode)
        if regular:  # to open a pipe or a device could take for ever
            open(path, "rb").close()
    if not regular:
        raise VideoRejected(RejectReason.NOT_A_FILE, f"{path} is not a regular file")
    if status.st_size == 0:
        raise VideoRejected(RejectReason.EMPTY_FILE, f"{path} is empty (0 bytes)")
    if status.st_size > MAX_BYTES:
        gigabytes = (status.st_size / 1e9, MAX_BYTES / 1e9)
        raise VideoRejected(RejectReason.TOO_LARGE, "{} has {:.0f} GB; the limit is {:.0f}".format(path, *gigabytes))
    return status


@contextmanager
def open_container(path: str) -> Iterator[InputContainer]:
    """Yields the file, opened without decoding more than its header needs.

    Raises:
        VideoRejected: unreadable file, not a video, or tables of too many entries.
        MachineError: it could not be read, or changed meanwhile. This may come after the body, which has then seen only
            a part.
    """
    check_file(path)
    formats = CONTAINERS
    if looks_like_mp4(path):
        check_tables(path, MAX_BLOCK)
        formats += ",mov"
    with SourceFile(path, MAX_SECONDS) as file:
        with reading(RejectReason.NOT_A_VIDEO, f"{path} is not a video, or its index is cut off"):
            # No protocol: nothing in the file can make FFmpeg open another one.
            options = {"format_whitelist": formats, "protocol_whitelist": ""}
            container = av.open(file, container_options=options, timeout=MAX_SECONDS, **OPENING)
        with container:
            yield container


@contextmanager
def open_video(path: str, number: int | None = None) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Yields the container and one of its streams, set up for one-thread decoding.

    Args:
        number: of the stream in the file; None for the film, see `_find_film`.

    Raises:
        VideoRejected: as `open_container`; also no_video_stream, and pictures of more than MAX_PIXELS.
    """
    with open_container(path) as container:
        with reading(RejectReason.NO_VIDEO_STREAM, f"{path} has no video stream that can be decoded"):
            stream = _find_film(path, container) if number is None else container.streams[number]
            assert isinstance(stream, VideoStream)  # `number` was found so
            check_pixels(path, stream.codec_context.width, stream.codec_context.height)
            stream.codec_context.thread_count = 1
            stream.codec_context.options = LIMITS
        yield container, stream


def _find_film(path: str, container: InputContainer) -> VideoStream:
    """Returns the stream that players show, if there are also covers, previews, or other programmes.

    It has more than one picture, is marked as default, and has the largest pictures, in this order. A file with
    several streams is read once more, to count their pictures.
    """
    films = [s for s in container.streams.video if s.codec_context and not s.disposition & STILLS]
    if not films:
        raise VideoRejected(RejectReason.NO_VIDEO_STREAM, f"{path} holds no video stream")
    if len(films) == 1:
        return films[0]
    with open_container(path) as again:
        streams = [stream for stream in again.streams.video if stream.index in {film.index for film in films}]
        pictures = Counter(packet.stream_index for packet in media_packets(again, streams))

    def rank(film: VideoStream) -> tuple[bool, bool, int]:
        size = film.codec_context.width * film.codec_context.height
        return pictures[film.index] > 1, bool(film.disposition & Disposition.default), size

    return max(films, key=rank)


def check_pixels(path: str, width: int, height: int) -> None:
    """Raises VideoRejected(too_large) for pictures of more than MAX_PIXELS, or with a side above MAX_SIDE."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise VideoRejected(
            RejectReason.TOO_LARGE,
            f"{path} has pictures of {width}x{height}; the limit is {MAX_PIXELS} pixels, and {MAX_SIDE} for a side",
        )


def media_packets(container: InputContainer, streams: VideoStream | list[VideoStream]) -> Iterator[av.Packet]:
    """Yields the streams' packets with content, in decoding order, up to the first error of the demuxer (a damaged
    tail).

    Raises:
        VideoRejected: timeout, MAX_SECONDS after the first packet was asked for, the caller's own time included.
        MachineError: for want of memory.
    """
    packets = container.demux(streams)
    deadline = time.monotonic() + MAX_SECONDS
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError as error:
            check_memory(error)
            return
        if packet is None:
            return
        if time.monotonic() > deadline:
            raise VideoRejected(
                RejectReason.TIMEOUT, f"{container.name} is not read or decoded after {MAX_SECONDS:.0f} s"
            )
        if packet.size:
            yield packet


def decode_packet(stream: VideoStream, packet: av.Packet | None) -> list[av.VideoFrame] | None:
    """Returns what comes out of the decoder, or None if the packet is damaged. Raises MachineError for want of
    memory.
    """
    try:
        return stream.decode(packet)
    except FFmpegError as error:
        check_memory(error)
        return None


def check_memory(error: FFmpegError) -> None:
    """Raises MachineError if FFmpeg found no memory although the file does not ask for more than any file may."""
    if isinstance(error, MemoryError) and not memory_is_left():
        raise MachineError("FFmpeg finds no memory on this machine; no video is judged") from error
