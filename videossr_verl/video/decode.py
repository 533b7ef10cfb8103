"""The pixels of chosen frames, at the training size. At most one full-size picture is kept.

Two decoders choose the same frames (nearest presentation time in the file's own list, see frame_index.py):
    pyav    the default: exact, fastest in benchmarks/README.md, its wheels bring FFmpeg along
    decord  optional (`pip install decord`), unmaintained since 2021. It reads MP4, MOV, Matroska and WebM only, and no
            file whose times start again. It cannot skip, so it decodes all frames up to the last one asked for. It
            does not tell of damage, so frames that pyav finds damaged are missing here too.
They resize with different code, so pixels differ slightly. A data set is built with one of them (`videossr build
--decoder`). Its rows tell which one, and everything that shows them uses it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from videossr_verl.errors import BadInput
from videossr_verl.video.container import LIMITS, check_pixels, decode_packet, media_packets, open_video
from videossr_verl.video.damage import STRICT, Soundness
from videossr_verl.video.frame_index import INDEXED, FrameIndex, frame_index
from videossr_verl.video.probe import first_frame, quarter_turns
from videossr_verl.video.rejected import RejectReason, VideoRejected, reading
from videossr_verl.video.source_file import read_all
from videossr_verl.video.timelines import NO_TIME

DEFAULT_DECODER = "pyav"
DECORD_MAX_BYTES = 2_000_000_000

# Codecs whose decoder can leave out frames that no other frame refers to.
SKIPS_UNREFERENCED = ("h264", "hevc")
# swscale: exact rounding, the same on every CPU, and colour resized with the same care as brightness
# (SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP; not all have names in PyAV 17).
EXACT_SCALING = 0x40000 | 0x80000 | 0x2000 | 0x4000
# One thread, because callers decode videos side by side. PyAV before 17, which lmms-eval asks for, has no such choice.
ONE_THREAD = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}


def decode(
    path: str | os.PathLike[str], times: Sequence[float], size: tuple[int, int], decoder: str = DEFAULT_DECODER
) -> np.ndarray:
    """Returns the frames of a video nearest to `times`, upright and resized.

    Args:
        path: the video file.
        times: T source times in seconds since the first frame; any order, may repeat.
        size: (H, W) in pixels, see `target_size`.
        decoder: "pyav" or "decord".

    Returns:
        uint8 (T, H, W, 3), RGB.

    Raises:
        VideoRejected: undecodable, with the first time that is missing; or any reason of `frame_index`.
        ValueError: no times, a time that is not finite, or an unknown decoder.
    """
    frames, missing = decode_possible(path, times, size, decoder)
    if missing.any():
        first = np.asarray(times, dtype=np.float64)[missing].min()
        raise VideoRejected(
            RejectReason.UNDECODABLE,
            f"{os.fspath(path)}: the frame at {first:.3f} s cannot be decoded "
            f"({missing.sum()} of the asked frames missing)",
        )
    return frames


def decode_possible(
    path: str | os.PathLike[str],
    times: Sequence[float] | np.ndarray,
    size: tuple[int, int],
    decoder: str = DEFAULT_DECODER,
) -> tuple[np.ndarray, np.ndarray]:
    """Works as `decode`, but a frame that cannot be decoded is no error. Also returns bool (T,): which frames are
    missing.
    """
    path = os.fspath(path)
    if decoder not in DECODERS:
        raise ValueError(f"unknown decoder '{decoder}'; known ones: {', '.join(DECODERS)}")
    asked = np.asarray(times, dtype=np.float64)
    if not asked.size:
        raise ValueError("times is empty; ask for at least one frame")
    if not np.isfinite(asked).all():
        raise ValueError(f"times must be finite seconds, got {asked[~np.isfinite(asked)][0]}")
    index = frame_index(path)
    rows: dict[int, list[int]] = {}
    for row, number in enumerate(index.nearest(asked).tolist()):
        rows.setdefault(number, []).append(row)
    frames = np.empty((len(asked), *size, 3), dtype=np.uint8)
    missing = np.ones(len(asked), dtype=bool)
    with reading(RejectReason.UNDECODABLE, f"{path} cannot be decoded"):
        for number, picture in DECODERS[decoder](path, index, sorted(rows), size):
            missing[rows[number]] = picture is None
            if picture is not None:
                frames[rows[number]] = picture
    return frames, missing


# A picture by its frame's number; None takes back what was given before.
Pictures = Iterator[tuple[int, np.ndarray | None]]


def _pyav(path: str, index: FrameIndex, wanted: list[int], size: tuple[int, int]) -> Pictures:
    """Yields the pictures of those `wanted` frames that can be decoded, and that no damage reaches.

    First decodes only what the wanted frames need. If this meets any damage, or does not give all frames (because of a
    key frame from which one cannot start), drops the result and decodes the file from its start.
    """
    reformatter = VideoReformatter()

    def picture(frame: av.VideoFrame) -> np.ndarray:
        check_pixels(path, frame.width, frame.height)  # sizes may change within a file
        return _upright(frame, size, reformatter)

    if index.by_order:
        yield from ((number, picture(frame)) for number, frame in _decode_in_order(path, index, set(wanted)))
        return
    given, soundness = [], Soundness(index.pts)
    for number, frame in _decode_ranges(path, index, _ranges(index, wanted), set(wanted), soundness, True):
        given.append(number)
        yield number, picture(frame)
    if len(given) == len(wanted) and soundness.intact:
        return
    yield from ((number, None) for number in given)
    everything = [Range(0, 0, len(index.pts) - 1)]
    for number, frame in _decode_ranges(path, index, everything, set(wanted), Soundness(index.pts), False):
        yield number, picture(frame)


class Range(NamedTuple):
    """Packets to decode, by their places in decoding order.

    Attributes:
        first: where decoding starts.
        key: from here on decoding must give no error. Between `first` and `key`, H.264 streams with open groups of
            pictures give errors, since they tell the decoder to forget frames that it never had.
        last: the last one.
    """

    first: int
    key: int
    last: int


def _ranges(index: FrameIndex, wanted: list[int]) -> list[Range]:
    """Returns the packets that the wanted frames need, from key frame to frame."""
    keys = np.flatnonzero(index.key & (index.pts != NO_TIME))
    lead_in = 1 if index.codec == "h264" and _has_open_groups(index) else 0
    ranges: list[Range] = []
    for packet in sorted(index.packet[wanted].tolist()):
        k = int(np.searchsorted(keys, packet, side="right")) - 1
        if k >= 0 and index.pts[packet] < index.pts[keys[k]]:
            k -= 1  # it is shown before its key frame, so it may also refer to earlier frames
        key = int(keys[k]) if k >= 0 else 0
        first = int(keys[k - lead_in]) if k >= lead_in else 0
        if ranges and first <= ranges[-1].last + 1:
            ranges[-1] = ranges[-1]._replace(last=packet)
        else:
            ranges.append(Range(first, key, packet))
    return ranges


def _has_open_groups(index: FrameIndex) -> bool:
    """Returns whether frames are shown before the key frame after which they are stored."""
    timed = index.pts != NO_TIME
    latest_key = np.maximum.accumulate(np.where(index.key & timed, index.pts, NO_TIME))
    return bool((timed & ~index.key & (index.pts < latest_key)).any())


@contextmanager
def _open_decoder(path: str, index: FrameIndex) -> Iterator[tuple[InputContainer, VideoStream]]:
    with open_video(path, index.stream) as (container, stream):
        stream.codec_context.options = LIMITS | STRICT
        yield container, stream


def _decode_in_order(path: str, index: FrameIndex, missing: set[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yields (number, frame) for frames in `missing`, which it uses up, if the k-th picture is frame k.

    It ends at the first damage: nobody knows whether the next frame's number is off by one then.
    """
    with _open_decoder(path, index) as (container, stream):
        number = 0
        for packet in chain(media_packets(container, stream), [None]):
            frames = decode_packet(stream, packet)
            if frames is None:
                return
            for frame in frames:
                if number in missing and not frame.is_corrupt:
                    missing.remove(number)
                    yield number, frame
                number += 1
            if not missing:
                return


def _decode_ranges(
    path: str,
    index: FrameIndex,
    ranges: list[Range],
    missing: set[int],
    soundness: Soundness,
    skip: bool,
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yields (number, frame) for the sound frames of `missing`, which it uses up.

    Frames are recognised by the packet that they come from, whose place in the file stands in for its time: times may
    start again, or stand on two packets.
    """
    with _open_decoder(path, index) as (container, stream):
        context = stream.codec_context
        number_of = {int(index.packet[number]): number for number in missing}
        for part, position, packet in _feed(_numbered_packets(container, stream, index, ranges[0].first), ranges):
            if packet is not None:
                packet.pts = position
                if skip and index.codec in SKIPS_UNREFERENCED:
                    context.skip_frame = "DEFAULT" if number_of.get(position) in missing else "NONREF"
            frames = decode_packet(stream, packet)
            # What is shown before the key frame may need what was left out.
            leading = part.key > 0 and (position < part.key or NO_TIME < index.pts[position] < index.pts[part.key])
            if (frames is None or index.torn[position]) and not leading:
                soundness.damage(position)
            for frame in frames or ():
                place = frame.pts
                assert place is not None  # each packet has one
                soundness.see(frame, place, is_key=bool(index.key[place]), starts=place == part.key > 0)
                number = number_of.get(place)
                if number is not None and number in missing and soundness.holds(place):
                    missing.remove(number)
                    yield number, frame
            if not missing:
                return
            if packet is None:
                context.flush_buffers()


def _feed(
    packets: Iterator[tuple[int, av.Packet]], ranges: list[Range]
) -> Iterator[tuple[Range, int, av.Packet | None]]:
    """Yields the packets of the ranges, each with its range and its position.

    After each range there is a None, to make the decoder give all that it holds back.
    """
    todo = iter(ranges)
    part = next(todo)
    for position, packet in packets:
        if position < part.first:
            continue
        yield part, position, packet
        if position == part.last:
            yield part, position, None
            following = next(todo, None)
            if following is None:
                return
            part = following
    yield part, part.last, None  # the file ended within a range


def _numbered_packets(
    container: InputContainer, stream: VideoStream, index: FrameIndex, first: int
) -> Iterator[tuple[int, av.Packet]]:
    """Yields (position in decoding order, packet), from `first` or an earlier one on. Yields nothing if seeking
    fails.
    """
    packets = media_packets(container, stream)
    position = 0
    if first > 0 and index.seekable:
        known = [int(t) for t in (index.pts[first], index.dts[first]) if t != NO_TIME]
        try:
            container.seek(min(known), stream=stream)
        except FFmpegError:
            return
        for packet in packets:
            if packet.pts == index.pts[first]:
                yield first, packet
                position = first + 1
                break
    for packet in packets:
        yield position, packet
        position += 1


def _upright(frame: av.VideoFrame, size: tuple[int, int], reformatter: VideoReformatter) -> np.ndarray:
    """Returns uint8 (H, W, 3): resized (when shrinking, each source pixel counts), converted to RGB, and turned
    upright.
    """
    turns = quarter_turns(frame)
    height, width = size if turns % 2 == 0 else size[::-1]
    shrinks = frame.height >= height and frame.width >= width
    kernel = Interpolation.AREA if shrinks else Interpolation.BICUBIC
    scaling = {"interpolation": int(kernel) | EXACT_SCALING} | ONE_THREAD
    small = reformatter.reformat(frame, width, height, "rgb24", **scaling)
    return np.rot90(small.to_ndarray(), turns)


def _decord(path: str, index: FrameIndex, wanted: list[int], size: tuple[int, int]) -> Pictures:
    """Works as `_pyav`, but reads with decord. Finds frames by their times, never by number / average rate."""
    try:
        import cv2
        import decord
    except ImportError as error:
        raise BadInput("the decoder 'decord' is not installed here: pip install decord") from error
    if not index.container.startswith(INDEXED):  # measured: shifted frames, no times, or no open
        raise VideoRejected(
            RejectReason.UNDECODABLE,
            f"{path}: decord misreads '{index.container}' files; use the decoder 'pyav'",
        )
    if not index.seekable:
        raise VideoRejected(
            RejectReason.UNDECODABLE,
            f"{path}: decord finds frames by their times, which start again here; use the decoder 'pyav'",
        )
    wanted = _sound(path, index, wanted)
    # decord turns the pictures of MP4 and MOV files itself, those of Matroska and WebM not.
    film = first_frame(path, index.stream)
    turns = 0 if index.container.startswith("mov") else quarter_turns(film)
    height, width = size if turns % 2 == 0 else size[::-1]
    decord.logging.set_level(decord.logging.QUIET)
    content = _content(path)
    with reading(RejectReason.UNDECODABLE, f"{path} cannot be read by decord; use the decoder 'pyav'"):
        reader = decord.VideoReader(content, ctx=decord.cpu(0), num_threads=1)
        starts = reader.get_frame_timestamp(range(len(reader)))[:, 0]  # it counts from the first frame, too
        reader.seek(0)
        position = 0
        for number in wanted:
            theirs = int(np.abs(starts - index.times[number]).argmin())
            if index.nearest(starts[theirs : theirs + 1])[0] != number:
                continue
            # Every frame in turn: its seeking and skipping give wrong frames for open GOPs and intra refresh.
            while position <= theirs:
                shown = reader.next()
                position += 1
            picture = shown.asnumpy()
            if picture.shape[2] != 3:
                raise ValueError("it misreads turned pictures of this width")
            if sorted(picture.shape[:2]) != sorted((film.height, film.width)):
                raise ValueError("it shows another stream of the file")
            shrinks = picture.shape[0] >= height and picture.shape[1] >= width
            kernel = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            yield number, np.rot90(cv2.resize(picture, (width, height), interpolation=kernel), turns)


def _sound(path: str, index: FrameIndex, wanted: list[int]) -> list[int]:
    """Returns the frames that no damage reaches, because decord shows whatever comes out."""
    pictures = dict(_pyav(path, index, wanted, (16, 16)))
    return [number for number in wanted if pictures.get(number) is not None]


def _content(path: str) -> io.BytesIO:
    """Returns the content of the whole file, because decord does not tell a read error from the end of the video."""
    if os.path.getsize(path) > DECORD_MAX_BYTES:
        message = f"{path} has more than {DECORD_MAX_BYTES / 1e9:g} GB, which decord would hold in memory"
        raise VideoRejected(RejectReason.TOO_LARGE, f"{message}; use the decoder 'pyav'")
    content = io.BytesIO()
    content.writelines(read_all(path))
    content.seek(0)
    return content


Decoder = Callable[[str, FrameIndex, list[int], tuple[int, int]], Pictures]
DECODERS: dict[str, Decoder] = {"pyav": _pyav, "decord": _decord}
