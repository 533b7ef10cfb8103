"""What a video file holds. It is found by demuxing the file and decoding its first frame."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

import av

from videossr_verl.video.container import check_file, check_pixels, decode_packet, media_packets, open_video
from videossr_verl.video.frame_index import frame_index
from videossr_verl.video.rejected import RejectReason, VideoRejected, reading
from videossr_verl.video.source_file import read_all

__all__ = ["RejectReason", "VideoInfo", "VideoRejected", "content_id", "probe", "quarter_turns"]

FIRST_FRAME_PACKETS = 300  # a stream that was cut in the middle may give no picture before


@dataclass(frozen=True)
class VideoInfo:
    """One usable video.

    Attributes:
        path: as given to `probe`.
        content_id: 16 hex digits of BLAKE2b over the whole file: the same for copies and renamed files.
        width, height: pixels as shown, after rotation. A pixel aspect ratio other than 1 is ignored, as
            Qwen's loaders do, so that training and evaluation see the same shapes.
        rotation: degrees to turn the stored frame counterclockwise to be upright: 0, 90, 180 or 270.
            Mirroring in the display matrix is ignored.
        codec, container: FFmpeg's short names.
        pts: N seconds since the first frame, strictly increasing: every frame that is shown.
        duration: seconds from the first frame's start to the last frame's end.
    """

    path: str
    content_id: str
    width: int
    height: int
    rotation: int
    codec: str
    container: str
    pts: tuple[float, ...]
    duration: float


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Reads the file twice (frame list, content id) and decodes one frame.

    Raises:
        VideoRejected: for anything that keeps the file from being used; no other type, whatever the bytes.
        MachineError: it cannot be read now.
    """
    path = os.fspath(path)
    index = frame_index(path)
    frame = first_frame(path, index.stream)
    turns = quarter_turns(frame)
    width, height = (frame.width, frame.height) if turns % 2 == 0 else (frame.height, frame.width)
    check_pixels(path, width, height)
    return VideoInfo(
        path=path,
        content_id=content_id(path),
        width=width,
        height=height,
        rotation=90 * turns,
        codec=index.codec,
        container=index.container,
        pts=tuple(index.times.tolist()),
        duration=index.duration,
    )


def content_id(path: str | os.PathLike[str]) -> str:
    """Returns 16 hex digits of BLAKE2b over the file's bytes; rows keep that of their video as `extra_info.video_id`.

    Raises:
        VideoRejected: there is no such file, or none that can be read (see `check_file`).
        MachineError: reading it fails, or it changes meanwhile.
    """
    check_file(os.fspath(path))
    digest = hashlib.blake2b(digest_size=8)
    for block in read_all(os.fspath(path)):
        digest.update(block)
    return digest.hexdigest()


def quarter_turns(frame: av.VideoFrame) -> int:
    """Returns how many times (0 to 3) the frame must be turned by 90 degrees counterclockwise to be upright."""
    return round(frame.rotation / 90) % 4


def first_frame(path: str, stream: int) -> av.VideoFrame:
    """Returns the stream's first picture that can be decoded. Raises VideoRejected(undecodable) if none is near the
    start.
    """
    undecodable = f"{path}: its first {FIRST_FRAME_PACKETS} packets hold no picture that can be decoded"
    with open_video(path, stream) as (container, film), reading(RejectReason.UNDECODABLE, undecodable):
        for number, packet in enumerate(media_packets(container, film)):
            if number == FIRST_FRAME_PACKETS:
                break
            if frames := decode_packet(film, packet):  # a damaged packet gives none, but the next ones may be good
                return frames[0]
        if frames := decode_packet(film, None):
            return frames[0]
    raise VideoRejected(RejectReason.UNDECODABLE, undecodable)
