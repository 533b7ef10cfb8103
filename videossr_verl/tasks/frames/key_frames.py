"""Chooses the frames of a video that differ enough to be worth showing: greedy de-duplication."""

from __future__ import annotations

import numpy as np


def key_frames(similarity: np.ndarray, start: int, kappa: float, count: int) -> list[int]:
    """Returns up to `count` frames from `start` on, each at most `kappa` similar to the one kept before it (MVP's
    rule).

    Args:
        similarity: (T, T), see `embedding.similarity`.
    """
    kept = [start]
    for frame in range(start + 1, len(similarity)):
        if len(kept) == count:
            break
        if similarity[kept[-1], frame] <= kappa:
            kept.append(frame)
    return kept
