"""Segments of a clip that an answer names by its two times: how they are drawn and written. `reward_fns.intervals` has
the same law, for chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from videossr_verl.tasks.contract import CannotDraw


def check_lengths(shortest: int, longest: int, stride: int) -> None:
    """Raises ValueError for lengths, in frames, that no segment with borders on multiples of `stride` can have."""
    if stride < 1:
        raise ValueError(f"stride must be at least 1 frame, got {stride}")
    if not 2 <= shortest <= longest:
        raise ValueError(f"need 2 <= min_length <= max_length, got {shortest} and {longest}")
    if shortest % stride or longest % stride:
        raise ValueError(
            f"min_length and max_length must be multiples of stride {stride}, got {shortest} and {longest}"
        )


def draw_segment(
    num_frames: int, shortest: int, longest: int, stride: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Draws [start, stop) in frames: first the length, then the start, each uniform over the multiples of `stride`."""
    length = stride * int(rng.integers(shortest // stride, longest // stride + 1))
    start = stride * int(rng.integers(0, (num_frames - length) // stride + 1))
    return start, start + length


def interval(clock: Sequence[float], start: int, stop: int) -> tuple[float, float]:
    """Returns the seconds from `clock[start]` to `clock[stop]`. The last frame lasts as long as the one before."""
    end = clock[stop] if stop < len(clock) else 2 * clock[-1] - clock[-2]
    return clock[start], end


def label(clock: Sequence[float], start: int, stop: int) -> str:
    """Returns the segment as "start-end", seconds with one decimal. Raises CannotDraw if both read the same."""
    start_text, end_text = (f"{seconds:.1f}" for seconds in interval(clock, start, stop))
    if start_text == end_text:
        raise CannotDraw("the segment starts and ends in the same tenth of a second")
    return f"{start_text}-{end_text}"
