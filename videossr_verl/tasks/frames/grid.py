"""A picture's grid of cells: one part of each cell is cut out, and parts are put into the cells of another picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

GREY = 127  # what shows between the parts
SHOWN = 0.96  # the share of a cell's sides that a part fills


def cells(
    frames: np.ndarray,
    rows: int,
    columns: int,
    share: float,
    square: bool,
    places: Sequence[tuple[float, float]] | np.ndarray | None = None,
) -> list[np.ndarray]:
    """Returns a part of each of the grid's cells, in reading order: rows * columns views of frames (T, H, W, 3), all of
    one size.

    Args:
        share: of a cell's height and width, above 0 to 1.
        square: the parts are square; a share of 1 is the shorter side.
        places: (y, x) of each part in its cell, from 0, at the upper and left edge, to 1; None: all in the middle.
    """
    height, width = frames.shape[1] / rows, frames.shape[2] / columns
    sides = (min(height, width),) * 2 if square else (height, width)
    h, w = (max(1, int(share * side)) for side in sides)
    corners = []
    for cell in range(rows * columns):
        y, x = (0.5, 0.5) if places is None else places[cell]
        row, column = divmod(cell, columns)
        corners.append((int(row * height + y * (height - h)), int(column * width + x * (width - w))))
    return [frames[:, top : top + h, left : left + w] for top, left in corners]


def put_together(
    parts: Sequence[np.ndarray], rows: int, columns: int, square: bool, height: int, width: int
) -> np.ndarray:
    """Returns frames (T, height, width, 3) uint8 on which the parts (T, h, w, 3), of any real type, fill the cells in
    reading order, with a grey line between two.
    """
    out = np.full((len(parts[0]), height, width, 3), GREY, np.uint8)
    for cell, part in zip(cells(out, rows, columns, SHOWN, square), parts, strict=True):
        for shown, picture in zip(cell, part, strict=True):
            resized = cv2.resize(np.ascontiguousarray(picture), shown.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            shown[:] = np.clip(resized, 0, 255).round()
    return out
