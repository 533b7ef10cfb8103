"""Turns of a square picture: upright, mirrored left to right, or turned by 90, 180 or 270 degrees."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# By the letter that names the turn in an answer. Pictures are (..., H, W, 3).
TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "U": lambda pictures: pictures,
    "M": lambda pictures: pictures[..., ::-1, :],
    "R": lambda pictures: np.rot90(pictures, -1, axes=(-3, -2)),
    "D": lambda pictures: np.rot90(pictures, 2, axes=(-3, -2)),
    "L": lambda pictures: np.rot90(pictures, 1, axes=(-3, -2)),
}


def symmetries(pictures: np.ndarray) -> list[np.ndarray]:
    """Returns the 8 ways to lay square pictures (..., N, N, 3), as they are first. Two turns of a picture can look the
    same only if one of the other 7 looks like the first.
    """
    return [np.rot90(one, quarters, axes=(-3, -2)) for one in (pictures, TURNS["M"](pictures)) for quarters in range(4)]
