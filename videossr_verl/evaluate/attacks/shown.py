"""What a model is shown and told. A rule may use nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shown:
    """One question.

    Attributes:
        question: text of the prompt.
        videos: N arrays of uint8 frames (T, H, W, 3).
        clocks: for each video the T times that the model is told, in seconds.
        images: uint8 pictures (H, W, 3).
    """

    question: str
    videos: tuple[np.ndarray, ...]
    clocks: tuple[np.ndarray, ...]
    images: tuple[np.ndarray, ...] = ()
