"""Whether the place of a segment in a video can be told: its borders show, and no other segment looks like it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.visibility import motion, thumbnails

Part = tuple[float, float, float]  # left and upper edge and side of a part of the picture, as shares of it

_SPREAD = 48.0  # of the light in which frames are compared, grey levels
_MOST_GAIN = 4.0  # a dark picture with more gain is mostly noise
# Least differences in this light. A person sees so much; less, as of a back that fills the picture and moves slowly, is
# seen in tables of pixels only.
_MIN_BORDER = 0.03
_MIN_RIVAL = 0.15


def common(a: Part, b: Part) -> tuple[float, float, float, float]:
    """Returns left, upper, right and lower edge of what both parts show, shares of the picture."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[0] + a[2], b[0] + b[2]), min(a[1] + a[2], b[1] + b[2])


def differences(frames: np.ndarray, edges: tuple[float, float, float, float]) -> np.ndarray:
    """Returns (T, T): the motion between any two of frames (T, H, W, 3) uint8 within `edges` (as of `common`), each
    frame in the same light.
    """
    sides = frames.shape[2], frames.shape[1]
    left, upper, right, lower = (round(edge * side) for edge, side in zip(edges, sides * 2, strict=True))
    small = thumbnails(frames[:, upper:lower, left:right])
    small -= small.mean(axis=(1, 2), keepdims=True)
    small *= np.minimum(_SPREAD / np.maximum(small.std(axis=(1, 2), keepdims=True), 1e-3), _MOST_GAIN)
    return np.stack([motion(small, one) for one in small])


def check_place(
    apart: np.ndarray, segment: tuple[int, int], lengths: Sequence[int], count: int, stride: int
) -> dict[str, float]:
    """Refuses a segment whose borders do not show, or that may be elsewhere.

    Args:
        apart: (T, T) from `differences`.
        segment: the frames at its start and at its end.
        lengths: all that it might have, in intervals of the video.
        count: frames in which it is compared with others, evenly chosen.
        stride: its borders, and those of others, are multiples of it.

    Returns:
        What it differs by, at least: at a border from the frames one stride away; from any other segment without
        overlap; from itself moved by one frame.

    Raises:
        CannotDraw: no_motion or not_unique.
    """
    beside = [(at, at + step) for at in segment for step in (-stride, stride) if 0 <= at + step < len(apart)]
    border = min(float(apart[pair]) for pair in beside)
    if border < _MIN_BORDER:
        raise CannotDraw("nothing moves at a border of the segment, so that it does not show", "no_motion")
    own = _evenly(*segment, count)
    moved = float(apart[own, own + 1].mean())
    rivals = [
        float(apart[own, _evenly(first, first + length, count)].mean())
        for length in lengths
        for first in range(0, len(apart) - length + 1, stride)
        if first >= segment[1] or first + length <= segment[0]
    ]
    rival = min(rivals, default=1.0)
    if rival < max(moved, _MIN_RIVAL):
        raise CannotDraw("another segment looks like it", "not_unique")
    return {"border": round(border, 4), "rival": round(rival, 4), "moved": round(moved, 4)}


def _evenly(start: int, stop: int, count: int) -> np.ndarray:
    """Returns `count` frames in [start, stop), the first and the last among them."""
    return np.linspace(start, stop - 1, count).round().astype(int)
