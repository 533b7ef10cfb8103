"""Finds the cheapest way to lay pieces into a grid: the picture that a rule's costs between neighbours speak for."""

from __future__ import annotations

import numpy as np

WIDTH = 1000  # how many beginnings are followed at once; up to 6 pieces that are not turned, that is all of them


def cheapest_placement(
    right: np.ndarray, below: np.ndarray, rows: int, columns: int, piece: np.ndarray, place: np.ndarray | None = None
) -> list[int]:
    """Returns which of m ways to show a piece stands in each place, in reading order, by a beam search; each of the
    rows x columns pieces is used once.

    Args:
        right, below: (m, m); [i, j] is what j on the right of i, or below it, costs.
        piece: (m,) which piece a way shows.
        place: (places, m) what a way costs in a place; None: nothing.
    """
    ways = len(piece)
    chosen, total = np.zeros((1, 0), int), np.zeros(1)
    for at in range(rows * columns):
        cost = np.repeat(total[:, None], ways, axis=1)
        if place is not None:
            cost = cost + place[at]
        if at % columns:
            cost = cost + right[chosen[:, -1]]
        if at >= columns:
            cost = cost + below[chosen[:, -columns]]
        cost[(piece[chosen][:, :, None] == piece).any(axis=1)] = np.inf
        ranked = np.argsort(cost, axis=None, kind="stable")[: min(WIDTH, np.isfinite(cost).sum())]
        before, way = np.divmod(ranked, ways)
        chosen, total = np.column_stack([chosen[before], way]), cost.ravel()[ranked]
    return chosen[0].tolist()
