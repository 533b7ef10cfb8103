"""Limits of what a row of a data set may ask for. Rows may come from anywhere, so each is read through these checks
first: a few bytes must not make training, which renders rows in its own processes, take all memory or time.

All raise VideoRejected(bad_row), which names the row's video.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, TypeGuard

from videossr_verl.files.json_text import read_object
from videossr_verl.video.container import MAX_PIXELS, MAX_SIDE
from videossr_verl.video.decode import DECODERS, DEFAULT_DECODER
from videossr_verl.video.frame_index import MAX_DURATION
from videossr_verl.video.rejected import RejectReason, VideoRejected

MAX_NAME = 4096  # the most bytes of a video's path, as on Linux
MAX_TIMES = 4096  # the most frames of one video in a prompt
MAX_PROMPT_PIXELS = 2**27  # the most in all frames of a prompt after the resize: 512 of 512 x 512, some 65,000 tokens


def is_whole_number(value: object) -> TypeGuard[int]:
    """An int, NumPy's own too, but no bool. (`Integral` has no comparisons for type checkers.)"""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real)


def read_name(row: Mapping[str, Any], key: str = "video") -> str:
    """Returns the path of a file below the data root. Does not look whether the file exists."""
    name = row.get(key)
    if not isinstance(name, str) or not name:
        raise _bad_row("?", f"names its file by {name!r}, which is no path")
    if "\0" in name or len(name.encode(errors="replace")) > MAX_NAME or name != name.encode(errors="replace").decode():
        raise _bad_row(name, f"is no path: it has a null character, no UTF-8, or more than {MAX_NAME} bytes")
    if "://" in name:
        raise _bad_row(name, "is a network address; rows may only name files below the data root")
    return name


def read_times(row: Mapping[str, Any], key: str, video: str) -> tuple[float, ...]:
    """Returns T seconds, finite, from 0 to MAX_DURATION."""
    times = row.get(key)
    if not isinstance(times, Sequence) or isinstance(times, str) or not 1 <= len(times) <= MAX_TIMES:
        count = len(times) if isinstance(times, Sequence) else "none"
        raise _bad_row(video, f"must have 1 to {MAX_TIMES} values in {key}, and has {count}")
    for time in times:
        if not _is_number(time) or not 0 <= time <= MAX_DURATION:
            raise _bad_row(video, f"has {time!r} in {key}, which must be seconds from 0 to {MAX_DURATION:g}")
    return tuple(map(float, times))


def read_decoder(row: Mapping[str, Any], video: str) -> str:
    """Returns the decoder that the build used."""
    decoder = row.get("decoder") or DEFAULT_DECODER
    if not isinstance(decoder, str) or decoder not in DECODERS:
        raise _bad_row(video, f"names the decoder {decoder!r}; known ones: {', '.join(DECODERS)}")
    return decoder


def read_sizes(row: Mapping[str, Any], video: str) -> dict[str, int]:
    """Returns width, height, min_pixels, max_pixels."""
    sizes: dict[str, int] = {}
    for name in ("width", "height", "min_pixels", "max_pixels"):
        value = row.get(name)
        if not is_whole_number(value) or value < 1:
            raise _bad_row(video, f"has {name} {value!r}, which must be a whole number above 0")
        sizes[name] = int(value)
    if max(sizes["width"], sizes["height"]) > MAX_SIDE or sizes["width"] * sizes["height"] > MAX_PIXELS:
        limits = f"{MAX_PIXELS} pixels, and {MAX_SIDE} for a side"
        raise _bad_row(video, f"has pictures of {sizes['width']}x{sizes['height']}; the limit is {limits}")
    if sizes["min_pixels"] > sizes["max_pixels"]:
        raise _bad_row(video, f"has min_pixels {sizes['min_pixels']} above max_pixels {sizes['max_pixels']}")
    return sizes


def read_transform(row: Mapping[str, Any], video: str) -> dict[str, Any]:
    """Returns the change as JSON data. Checks path, times and size of a "source" in it; the task checks the rest."""
    try:
        transform = read_object(row.get("transform"))
    except ValueError as error:
        raise _bad_row(video, f"has a transform that is {error}") from error
    if source := transform.get("source"):
        if not isinstance(source, dict):
            raise _bad_row(video, "has a transform whose source is no JSON object")
        read_times(source, "times", read_name(source))
        read_sizes({**row, "width": source.get("width"), "height": source.get("height")}, video)
    return transform


def read_order(row: Mapping[str, Any], video: str, frames: int) -> tuple[int, ...] | None:
    """Returns which of the `frames` stands in each place, or None where the row does not say."""
    order = row.get("order")
    if order is None:
        return None
    if not isinstance(order, Sequence) or isinstance(order, str) or len(order) != frames:
        raise _bad_row(video, f"has an order that is no list of {frames} numbers, one for each frame")
    for number in order:
        if not is_whole_number(number) or not 0 <= number < frames:
            raise _bad_row(video, f"has {number!r} in order, which must be whole numbers from 0 to {frames - 1}")
    return tuple(map(int, order))


def check_clock(video: str, times: Sequence[float], clock: Sequence[float]) -> None:
    """Checks that the clock has as many values as times, two at least, and that none is earlier than the one before."""
    if len(clock) != len(times) or len(times) < 2 or any(b < a for a, b in pairwise(clock)):
        raise _bad_row(video, f"has a clock of {len(clock)} values for {len(times)} times, or one that runs backwards")


def check_prompt_pixels(video: str, shown: Sequence[tuple[int, int, int]]) -> None:
    """Limits one picture and all pictures together. Takes (T, H, W) of each video of a prompt, and images as T = 1."""
    pixels = sum(math.prod(shape) for shape in shown)
    if pixels > MAX_PROMPT_PIXELS or any(h * w > MAX_PIXELS for _, h, w in shown):
        message = f"asks for {pixels} pixels, or more than {MAX_PIXELS} in one picture"
        raise _bad_row(video, f"{message}; the limit of a prompt is {MAX_PROMPT_PIXELS}")


def _bad_row(video: str, detail: str) -> VideoRejected:
    return VideoRejected(RejectReason.BAD_ROW, f"the row's video '{video}' {detail}")
