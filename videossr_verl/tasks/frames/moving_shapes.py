"""Shapes that move over a video's frames: how they are stored, where each is in each frame, and how they are drawn.

As data relative to the picture, so that it is the same at any training size:
    {"shape": name, "size": s, "angle": a, "colour": [r, g, b], "path": [[frame, x, y], ...], "until": frame}
with
    shape, size, angle   as in `frames.shapes`
    path                 where the centre is at these frames, shares of width and height; in between it moves evenly,
                         before and after it stands still. The picture is a torus: what leaves it on one side comes
                         back on the other, and 1.2 is the same place as 0.2.
    until                the first frame without the shape
Later shapes hide earlier ones. Two things make all of them harder to follow by colour:
    see_through          share of what lies behind a shape that shows through it, 0 to below 1
    flicker              each shape's colour is multiplied by U(1 - flicker, 1 + flicker), new in every frame
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from videossr_verl.tasks.frames.shapes import MIN_CONTRAST, SHAPES, contrast, draw_shapes

MovingShape = Mapping[str, Any]  # see above

MOST_SHAPES = 16  # in one video
_SHARE_IN_SIGHT = 0.8  # of the frames that are looked at: in so many a shape must stand out
_LOOKED_AT = 12  # frames


def places(shape: MovingShape, num_frames: int) -> np.ndarray:
    """Returns (num_frames, 2) float64: x and y of the shape's centre in each frame, 0 to below 1."""
    frames, x, y = np.array(shape["path"], np.float64).T
    at = np.arange(num_frames)
    return np.stack([np.interp(at, frames, x), np.interp(at, frames, y)], axis=1) % 1


def stands_out(frames: np.ndarray, shape: MovingShape, see_through: float) -> bool:
    """Returns whether a shape's colour differs from what is behind it, in frames (T, H, W, 3) uint8 without it.

    It must have `MIN_CONTRAST` in four fifths of some frames, evenly spread, after what shows through took its share.
    """
    shown = min(shape["until"], len(frames))
    at = np.unique(np.linspace(0, shown - 1, _LOOKED_AT).round().astype(int))
    spots = [[x, y, shape["size"]] for x, y in places(shape, shown)[at]]
    seen = [
        contrast(frame, shape["colour"], shape["shape"], spot) for frame, spot in zip(frames[at], spots, strict=True)
    ]
    return float(np.mean(np.array(seen) * (1 - see_through) >= MIN_CONTRAST)) >= _SHARE_IN_SIGHT


def draw_moving(
    frames: np.ndarray, shapes: Sequence[MovingShape], see_through: float, flicker: float, seed: int
) -> None:
    """Draws shapes into frames (T, H, W, 3) uint8, C-contiguous, in place. Raises ValueError for what cannot be."""
    if len(shapes) > MOST_SHAPES or not (0 <= see_through < 1 and 0 <= flicker < 1):
        raise ValueError(f"{len(shapes)} shapes with see_through {see_through} and flicker {flicker} cannot be drawn")
    rng = np.random.Generator(np.random.PCG64(seed))
    for shape in shapes:
        _check(shape, len(frames))
        gains = 1 + flicker * rng.uniform(-1, 1, len(frames))
        shown = zip(frames[: shape["until"]], places(shape, len(frames)), gains, strict=False)
        for frame, place, gain in shown:
            mask, where = _mask(shape, place, frame.shape[:2])
            share = mask[..., None] * (1 - see_through)
            colour = np.clip(np.array(shape["colour"]) * gain, 0, 255)
            frame[where] = (frame[where] * (1 - share) + colour * share).round()


def _mask(shape: MovingShape, place: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Returns how much of each pixel of a box around the shape it covers, (b, b) in [0, 1], and where in a picture of
    `size` (H, W) the box lies on the torus: indices of rows and of columns.
    """
    side = shape["size"] * min(size)
    box = 2 * math.ceil(side * math.sqrt(0.5)) + 4  # the widest shape is the square
    x, y = place * size[::-1]
    left, top = math.floor(x) - box // 2, math.floor(y) - box // 2
    canvas = np.zeros((box, box, 3), np.uint8)
    draw_shapes(
        canvas, shape["shape"], [[(x - left) / box, (y - top) / box, side / box, shape["angle"], 255, 255, 255]]
    )
    rows, columns = (top + np.arange(box)) % size[0], (left + np.arange(box)) % size[1]
    return canvas[..., 0].astype(np.float32) / 255, np.ix_(rows, columns)


def _check(shape: MovingShape, num_frames: int) -> None:
    path = np.array(shape["path"], np.float64)
    if path.ndim != 2 or path.shape[1] != 3 or not 1 <= len(path) <= num_frames or not np.isfinite(path).all():
        raise ValueError(f"a path is 1 to {num_frames} points [frame, x, y], not {str(shape['path'])[:80]}")
    if (np.diff(path[:, 0]) <= 0).any() or np.abs(path).max() > num_frames:
        raise ValueError(f"a path's frames rise, and its places are near the picture, not {str(shape['path'])[:80]}")
    if shape["shape"] not in SHAPES or not 0 < shape["size"] <= 1 or not isinstance(shape["until"], int):
        raise ValueError(
            f"a moving shape is one of {', '.join(SHAPES)}, of a size up to 1, until a frame, not {str(shape)[:80]}"
        )
