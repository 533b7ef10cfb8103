"""Rules for anomaly grounding: the picture jumps at both borders of the segment, and undoing the change smooths it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from videossr_verl.evaluate.attacks.pictures import small
from videossr_verl.evaluate.attacks.segments import answer, segments
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.tasks.frames.perturbations import PERTURBATIONS

# Each of these changes undoes itself when it is made a second time.
_UNDO: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mirror": lambda pictures: pictures[:, :, ::-1],
    "rotate_180": lambda pictures: pictures[:, ::-1, ::-1],
    "channel_swap": lambda pictures: pictures[..., ::-1],
    "invert": lambda pictures: 255 - pictures,
}


def blind(shown: Shown) -> str:
    """Answers the interval that earns most in the paper's setting."""
    frames = len(shown.videos[0])
    return answer(shown.clocks[0], round(10 * frames / 48), round(38 * frames / 48))


def largest_jumps(shown: Shown) -> str:
    """Answers the segment between two large changes from frame to frame, whatever the question says."""
    jumps = _jumps(small(shown.videos[0]))
    steady = np.array([np.median(np.delete(jumps[max(0, i - 2) : i + 3], min(i, 2))) for i in range(len(jumps))])
    return _best_borders(shown, jumps - steady, jumps - steady)


def undone(shown: Shown) -> str:
    """Answers the segment where the named change is measured: by undoing it at its borders, else by its trace in each
    frame.
    """
    name = next(n for n, p in PERTURBATIONS.items() if p.description in shown.question)
    frames = shown.videos[0]
    if name in _UNDO:
        pictures = small(frames)
        mended = np.abs(_UNDO[name](pictures)[1:] - pictures[:-1]).mean(axis=(1, 2, 3))
        gain = _jumps(pictures) - np.pad(mended, 1)
        return _best_borders(shown, gain, gain)
    if name in _TRACES:
        step = np.pad(np.diff(_TRACES[name](frames)), 1)
        return _best_borders(shown, step, -step)
    if name in ("slow", "stutter_hold", "fast", "shuffle"):
        moved = np.log1p(_jumps(small(frames))[1:])
        return _largest_excess(shown, -moved if name in ("slow", "stutter_hold") else moved)
    return largest_jumps(shown)


def _saturation(frames: np.ndarray) -> np.ndarray:
    return np.array([cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2HSV)[..., 1].mean() for f in frames])


def _sharpness(frames: np.ndarray) -> np.ndarray:
    grey = [cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY) for f in frames]
    return np.log1p([cv2.Laplacian(g, cv2.CV_32F).var() for g in grey])


def _black_border(frames: np.ndarray) -> np.ndarray:
    """Returns how much of a narrow border is black, on the side with the third most black."""
    black = frames.max(axis=-1) <= 2
    sides = (black[:, :2], black[:, -2:], black[:, :, :2], black[:, :, -2:])
    return np.sort([side.mean(axis=(1, 2)) for side in sides], axis=0)[1]


# How much of the change is in each frame, (T,).
_TRACES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "saturation": _saturation,
    "grayscale": lambda frames: -_saturation(frames),
    "noise": _sharpness,
    "blur": lambda frames: -_sharpness(frames),
    "zoom_out": _black_border,
    "rotate_90": _black_border,
    "rotate_270": _black_border,
}


def _jumps(pictures: np.ndarray) -> np.ndarray:
    """Returns (T + 1,): how much picture i differs from the one before, and 0 at both ends."""
    return np.pad(np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3)), 1)


def _segments(frames: int) -> list[tuple[int, int]]:
    """Returns the segments that are an eighth to a half of the clip long."""
    return segments(frames, -(-frames // 8), frames // 2)


def _best_borders(shown: Shown, start: np.ndarray, stop: np.ndarray) -> str:
    return answer(shown.clocks[0], *max(_segments(len(shown.videos[0])), key=lambda s: start[s[0]] + stop[s[1]]))


def _largest_excess(shown: Shown, trace: np.ndarray) -> str:
    """Returns the segment whose mean lies farthest above that of the rest, in standard errors."""
    sums = np.pad(np.cumsum(trace), (1, 0))

    def excess(segment: tuple[int, int]) -> float:
        inside, count = sums[segment[1]] - sums[segment[0]], segment[1] - segment[0]
        rest = len(trace) - count
        return (inside / count - (sums[-1] - inside) / rest) * np.sqrt(count * rest)

    return answer(shown.clocks[0], *max(_segments(len(trace)), key=excess))


RULES = {"blind constant": blind, "largest jumps": largest_jumps, "change undone": undone}
