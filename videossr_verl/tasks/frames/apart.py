"""Draws places that keep a distance from each other."""

from __future__ import annotations

import numpy as np


def draw_apart(length: int, count: int, gap: int, rng: np.random.Generator) -> list[int]:
    """Returns `count` sorted whole numbers from 0 to below `length`, each `gap` or more above the one before.

    All such choices are equally likely. Needs (count - 1) * gap < length.
    """
    # Chooses without the forced gaps, and then puts them back.
    compact = rng.choice(length - (count - 1) * (gap - 1), count, replace=False)
    return (np.sort(compact) + np.arange(count) * (gap - 1)).tolist()
