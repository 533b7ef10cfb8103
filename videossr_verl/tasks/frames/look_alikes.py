"""How alike the frames of a clip are. An embedding decides, but never against the pixels.

An embedding may tell apart frames that nobody can: CLIP's says little of black frames, and nobody knows how it takes a
fade or a title card. So frames whose pixels hardly differ are the same picture, whatever the embedding says.
"""

from __future__ import annotations

import numpy as np

from videossr_verl.tasks.frames.visibility import motion, thumbnails
from videossr_verl.video.embedding import similarity

# Two frames with less `motion` than this are one picture: 7 of 255 grey levels in the tenth that differs most. Of 80
# pairs from real clips (examples/deduplication) 5 lie below, all alike to the eye. Pairs that differ to the eye begin
# at 0.075.
MIN_DIFFERENCE = 0.03


def likeness(frames: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """Returns (T, T) float64: the similarity of the embeddings (T, D), and 1 where the frames (T, H, W, 3) uint8 are
    alike.
    """
    return np.where(_one_picture(frames), 1.0, similarity(embeddings))


def _one_picture(frames: np.ndarray) -> np.ndarray:
    """Returns (T, T) bool."""
    small, same = thumbnails(frames), np.eye(len(frames), dtype=bool)
    for i in range(1, len(frames)):
        same[i, :i] = motion(small[i], small[:i]) < MIN_DIFFERENCE
    return same | same.T
