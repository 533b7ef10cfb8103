"""Rules for object counting: a shape is a region of one colour that the frames beside it do not have."""

from __future__ import annotations

import cv2
import numpy as np

from videossr_verl.evaluate.attacks.shown import Shown

_LEAST_AREA = 0.004  # the least region, as a share of the picture
_LEAST_CHANGE = 12  # the least difference from both frames beside it, grey levels
_LEAST_FIT = 0.8  # the least share that the region fills of the shape around it


def blind(shown: Shown) -> str:
    """Answers three of each."""
    return "3,3,3"


def flat_regions(shown: Shown) -> str:
    """Counts connected regions of one colour that come and go at once, and names each by the shape that fits best
    around it.
    """
    frames = shown.videos[0]
    counts = [0, 0, 0]
    for i, frame in enumerate(frames):
        beside = [frames[j].astype(np.float32) for j in (i - 1, i + 1) if 0 <= j < len(frames)]
        for region in _regions(frame):
            pixels = frame[region].astype(np.float32)
            if min(np.abs(other[region] - pixels).mean() for other in beside) < _LEAST_CHANGE:
                continue
            fits = _fits(region)
            if max(fits) > _LEAST_FIT:
                counts[int(np.argmax(fits))] += 1
    return ",".join(map(str, counts))


def _regions(frame: np.ndarray) -> list[np.ndarray]:
    """Masks (H, W) of connected pixels that equal a neighbour."""
    same = np.zeros(frame.shape[:2], np.uint8)
    across, down = ((np.diff(frame.astype(np.int16), axis=axis) == 0).all(axis=-1) for axis in (1, 0))
    same[:, 1:] |= across
    same[:, :-1] |= across
    same[1:] |= down
    same[:-1] |= down
    count, labels, stats, _ = cv2.connectedComponentsWithStats(same, connectivity=4)
    large = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] > _LEAST_AREA * same.size]
    masks = [labels == k for k in large]
    return [mask for mask in masks if frame[mask].std(axis=0).max() < 1.5]


def _fits(region: np.ndarray) -> list[float]:
    """Returns the region's area as shares of the smallest circle, rectangle and triangle around it."""
    grown = cv2.dilate(region.astype(np.uint8), np.ones((3, 3)))
    outline = max(cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=cv2.contourArea)
    radius, sides = cv2.minEnclosingCircle(outline)[1], cv2.minAreaRect(outline)[1]
    around = (np.pi * radius**2, sides[0] * sides[1], cv2.minEnclosingTriangle(outline)[0])
    return [cv2.contourArea(outline) / (area + 1e-6) for area in around]


RULES = {"blind constant": blind, "flat regions": flat_regions}
