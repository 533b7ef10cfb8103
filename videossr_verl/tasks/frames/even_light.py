"""Brings all frames of a clip to one light, so that no fade, dawn or exposure tells which frame was first.

As data: {"mean": [r, g, b], "spread": [r, g, b]}, the mean and standard deviation that each colour of each frame is
brought to, grey levels. Each frame is changed by itself, so reversed frames give the reversed result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from videossr_verl.tasks.frames.views import light_of

Light = Mapping[str, Any]

_LEAST_SPREAD = 1e-3


def lights(frames: np.ndarray) -> np.ndarray:
    """Returns (T, 2, 3): mean and standard deviation of each colour of each of the frames (T, H, W, 3) uint8."""
    return np.stack([light_of(frame[None]) for frame in frames])


def common_light(of_frames: np.ndarray) -> dict[str, list[float]]:
    """Returns the light that frames with the `lights` (T, 2, 3) are brought to: their mean, and the smallest spread of
    each colour. No frame gains contrast, as gaps between its grey levels would then tell which one was dark.
    """
    return {"mean": of_frames[:, 0].mean(axis=0).round(1).tolist(), "spread": of_frames[:, 1].min(axis=0).tolist()}


def in_light(light: Light, of_frames: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Returns pictures (T, h, w, 3), or thumbnails of them, in `light`, float32.

    Args:
        of_frames: (T, 2, 3), the `lights` that they have.
    """
    mean, spread = (of_frames[:, i, None, None].astype(np.float32) for i in (0, 1))
    wanted_mean, wanted_spread = (np.asarray(light[name], np.float32) for name in ("mean", "spread"))
    return (pictures - mean) * (wanted_spread / np.maximum(spread, _LEAST_SPREAD)) + wanted_mean


def evened(light: Light, frames: np.ndarray) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 in `light`, as a new array. Raises ValueError for what is no light."""
    levels = [*light["mean"], *light["spread"]]
    if len(levels) != 6 or not all(0 <= level <= 255 for level in levels):
        raise ValueError(f"frames cannot be brought to mean and spread {levels[:8]}")
    return np.clip(in_light(light, lights(frames), frames), 0, 255).round().astype(np.uint8)
