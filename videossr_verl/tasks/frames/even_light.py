"""Brings all frames of a clip to one light, so that no fade, dawn or exposure tells which frame was first.

As data: {"mean": [r, g, b], "spread": [r, g, b]}, the mean and standard deviation that each colour of each frame is
brought to, grey levels. Each frame is changed by itself, so reversed frames give the reversed result.

The finest detail goes: a dark frame has fewer grey levels than a bright one, and one that a codec predicted is softer
than a key frame, which would still tell them apart in the same light.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from videossr_verl.tasks.frames.views import even_light, light_of

Light = Mapping[str, Any]

_BLUR = 1.0  # standard deviation, pixels
# No frame gains contrast, and all are rounded anew: noise of rounding in some of them would tell.
_CONTRAST = 0.9


def common_light(frames: np.ndarray) -> dict[str, list[float]]:
    """Returns the light that frames (T, H, W, 3) uint8 are brought to: their mean, and little less than the smallest
    spread.
    """
    lights = np.stack([light_of(frame) for frame in _soft(frames)[:, None]])  # (T, 2, 3)
    spread = _CONTRAST * lights[:, 1].min(axis=0)
    return {"mean": lights[:, 0].mean(axis=0).round(2).tolist(), "spread": spread.round(2).tolist()}


def evened(light: Light, frames: np.ndarray) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 in `light`, as a new array. Raises ValueError for what is no light."""
    levels = [*light["mean"], *light["spread"]]
    if len(levels) != 6 or not all(0 <= level <= 255 for level in levels):
        raise ValueError(f"frames cannot be brought to mean and spread {levels[:8]}")
    wanted = np.array([light["mean"], light["spread"]])
    shown = [even_light(frame, light_of(frame), wanted) for frame in _soft(frames)[:, None]]
    return np.clip(np.concatenate(shown), 0, 255).round().astype(np.uint8)


def _soft(frames: np.ndarray) -> np.ndarray:
    """Returns float32 frames (T, H, W, 3) without their finest detail."""
    return np.stack([cv2.GaussianBlur(frame.astype(np.float32), (0, 0), _BLUR) for frame in frames])
