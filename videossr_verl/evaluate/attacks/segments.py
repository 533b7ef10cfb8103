"""Segments of a video as answers: which ones a rule chooses from, and how an answer names one."""

from __future__ import annotations

import numpy as np


def segments(frames: int, shortest: int, longest: int) -> list[tuple[int, int]]:
    """Returns all (start, stop) that lie on pairs of frames and are `shortest` to `longest` frames long."""
    lengths = [n for n in range(2, longest + 1, 2) if n >= shortest]
    return [(start, start + n) for n in lengths for start in range(0, frames - n + 1, 2)]


def answer(clock: np.ndarray, start: int, stop: int) -> str:
    """Returns the times of frames `start` and `stop`, the latter one interval after the last frame if it is beyond."""
    times = np.append(clock, 2 * clock[-1] - clock[-2])
    return f"{times[start]:.1f}-{times[stop]:.1f}"
