"""Paths of moving shapes, [[frame, x, y], ...] as in `frames.moving_shapes`.

A step is a move from one frame to the next: (dx, dy) in shares of width and height. In all straight paths the start is
uniform over the torus, and nothing else depends on it. So in each single frame the place is uniform too, whatever the
steps are: one frame says nothing about a motion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Path = list[list[float]]

EVENTS = ("stop", "start", "turn")

_DIGITS = 4  # of stored shares: below a tenth of a pixel


def step(angle: float, length: float, size: tuple[int, int]) -> np.ndarray:
    """Returns (2,): a step of `length` short sides at `angle` degrees (0 up, 90 right) in a picture (H, W)."""
    turn, (height, width) = math.radians(angle), size
    return np.array([math.sin(turn), -math.cos(turn)]) * length * min(size) / (width, height)


def straight(start: np.ndarray, move: np.ndarray, num_frames: int) -> Path:
    """Returns the path with the step `move` throughout."""
    return _path([0, num_frames - 1], [start, start + move * (num_frames - 1)])


def with_event(event: str, frame: int, start: np.ndarray, move: np.ndarray, num_frames: int) -> Path:
    """Returns the path that at `frame`, the last one of the old motion, stops, starts, or turns round."""
    before, after = {"stop": (1, 0), "start": (0, 1), "turn": (1, -1)}[event]
    there = start + before * move * frame
    return _path([0, frame, num_frames - 1], [start, there, there + after * move * (num_frames - 1 - frame)])


def row_of_places(count: int, y: float) -> np.ndarray:
    """Returns (count, 2): places side by side, from the left."""
    return np.stack([(np.arange(count) + 0.5) / count, np.full(count, y)], axis=1)


def swapped(
    places: np.ndarray, swaps: Sequence[tuple[int, int]], first: int, length: int, rise: float
) -> tuple[list[Path], list[int]]:
    """Swaps what stands in a row: each pair goes in an arc, the first over and the second under the middle.

    An arc is higher at its sides than an ellipse, by a square root, so it leads past what stands beside its ends.

    Args:
        places: (n, 2).
        swaps: pairs of places, one after the other.
        first: the frame at which the first swap begins.
        length: frames that a swap takes.
        rise: the height of an arc, share of the picture's height.

    Returns:
        The paths of the n things, and at which place each stands in the end.
    """
    at = list(range(len(places)))
    paths: list[Path] = [_path([0, first], [place, place]) for place in places]
    for number, pair in enumerate(swaps):
        begin = first + number * length
        movers = [at.index(place) for place in pair]
        for mover, (here, there), side in zip(movers, (pair, pair[::-1]), (-1, 1), strict=True):
            turns = np.pi * np.arange(1, length + 1) / length
            middle, half = (places[here] + places[there]) / 2, (places[here] - places[there]) / 2
            arc = middle + np.outer(np.cos(turns), half) + np.outer(np.sqrt(np.sin(turns).clip(0)), (0, side * rise))
            if paths[mover][-1][0] < begin:
                paths[mover] += _path([begin], [places[here]])
            paths[mover] += _path(list(range(begin + 1, begin + length + 1)), list(arc))
            at[mover] = there
    return paths, at


def _path(frames: Sequence[int], points: Sequence[np.ndarray]) -> Path:
    return [[frame, *np.round(point, _DIGITS).tolist()] for frame, point in zip(frames, points, strict=True)]
