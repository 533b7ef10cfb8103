"""How alike two pictures are, without any learning."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np


def small(frames: np.ndarray, width: int = 48) -> np.ndarray:
    """Returns (T, h, width, 3) float32 of frames (T, H, W, 3) uint8, aspect kept."""
    size = (width, max(8, round(width * frames.shape[1] / frames.shape[2])))
    shrunk = [cv2.resize(np.ascontiguousarray(f), size, interpolation=cv2.INTER_AREA) for f in frames]
    return np.stack(shrunk).astype(np.float32)


def without_light(pictures: np.ndarray) -> np.ndarray:
    """Returns grey pictures (..., h, w) of mean 0 and deviation 1, in which no change of light shows, of (..., h, w,
    3).
    """
    grey = pictures.mean(axis=-1, dtype=np.float32)
    grey = grey - grey.mean(axis=(-2, -1), keepdims=True)
    return grey / (grey.std(axis=(-2, -1), keepdims=True) + 1e-3)


def differences(a: Sequence[np.ndarray] | np.ndarray, b: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Returns (m, n) mean absolute differences of each of m arrays from each of n, all of one shape."""
    return np.array([[np.abs(x - y).mean() for y in b] for x in a])


def colours(frames: np.ndarray) -> np.ndarray:
    """Returns (512,) roots of the shares of 8 x 8 x 8 colours in frames (T, H, W, 3) uint8."""
    bins = (frames.reshape(-1, 3) >> 5).astype(np.int32) @ np.array([64, 8, 1])
    return np.sqrt(np.bincount(bins, minlength=512) / len(bins))


def shift(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns (dx, dy), the pixels by which the content of `a` (h, w) moves to become that of `b`, and how sure that is
    (0 to 1).
    """
    moved, response = cv2.phaseCorrelate(a, b, cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F))
    return np.array(moved), max(0.0, response)


def misfit(whole: np.ndarray, other: np.ndarray, scales: Sequence[float]) -> float:
    """Returns how badly the middle of `other` (h, w) fits anywhere into `whole`, moved, shrunk or mirrored; 0 is
    perfect.

    Args:
        scales: by which `other` is shrunk: the share of the picture that it shows, and 1 where both show as much.
    """
    height, width = other.shape
    middle = other[height // 5 : height - height // 5, width // 5 : width - width // 5]
    best = -1.0
    for scale in scales:
        part = cv2.resize(middle, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for turned in (part, np.ascontiguousarray(part[:, ::-1])):
            best = max(best, float(cv2.matchTemplate(whole, turned, cv2.TM_CCOEFF_NORMED).max()))
    return 1 - best
