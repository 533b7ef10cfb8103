"""A view: a part of the picture, perhaps mirrored, in even light. Two views have only the scene in common, so the
pixels, the light and the side of the picture of one tell nothing about the other.

As data, relative to the picture, so that it is the same at any training size:
    {"place": [x, y], "side": s, "mirror": bool, "mean": [r, g, b], "spread": [r, g, b]}
with
    x, y          left and upper edge of the part, as shares of width and height
    s             its width and height as shares of the picture's
    mean, spread  mean and standard deviation that each colour is brought to, grey levels
The part fills the picture again. Light is made even over all frames of a video at once, so that nothing flickers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.visibility import MIN_MOTION, motion, thumbnails

View = Mapping[str, Any]

_MOST_GAIN = 4.0  # a dark picture with more gain is mostly noise
_TRIES = 30
_STEPS = 1000  # the grid of places, coarse so that a row stays short


def draw_view(
    frames: np.ndarray, others: Sequence[np.ndarray], light: np.ndarray, side: float, rng: np.random.Generator
) -> dict[str, Any]:
    """Draws a random view of `frames` (T, H, W, 3) uint8 in which none of `others`, of the same shape, looks the same.

    Args:
        light: (2, 3), the mean and the spread.
        side: share of width and height, above 0 to 1.

    Raises:
        CannotDraw: no such view is found.
    """
    mean, spread = light.round(1).tolist()
    for _ in range(_TRIES):
        place = (rng.integers(0, int((1 - side) * _STEPS) + 1, 2) / _STEPS).tolist()
        view = {"place": place, "side": side, "mirror": bool(rng.integers(2)), "mean": mean, "spread": spread}
        own = _seen_small(view, frames)
        if all(motion(own, _seen_small(view, o)).max() >= MIN_MOTION for o in others):
            return view
    raise CannotDraw(f"in no part of {side:g} of width and height does all that is shown look different")


def light_of(frames: np.ndarray) -> np.ndarray:
    """Returns (2, 3): mean and standard deviation of each colour in frames (T, H, W, 3) uint8, grey levels."""
    return np.stack(cv2.meanStdDev(np.ascontiguousarray(frames).reshape(-1, frames.shape[2], 3)))[..., 0]


def even_light(frames: np.ndarray, light: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns the frames, or thumbnails, whose light is `light` (2, 3), in the light `wanted`, as float32."""
    gain = np.minimum(wanted[1] / np.maximum(light[1], 1e-3), _MOST_GAIN)
    return ((frames - light[0]) * gain + wanted[0]).astype(np.float32)


def through(view: View, frames: np.ndarray) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 as seen through `view`, as a new array. Raises ValueError for what is no
    view.
    """
    _check(view)
    height, width = frames.shape[1:3]
    out = np.empty_like(frames)
    part = _part(view, frames)
    for seen, shown in zip(even_light(part, light_of(part), _light(view)), out, strict=True):
        shown[:] = np.clip(cv2.resize(seen, (width, height), interpolation=cv2.INTER_LINEAR), 0, 255).round()
    return out


def _seen_small(view: View, frames: np.ndarray) -> np.ndarray:
    part = _part(view, frames)
    return even_light(thumbnails(part), light_of(part), _light(view))


def _part(view: View, frames: np.ndarray) -> np.ndarray:
    height, width = frames.shape[1:3]
    x, y = (int(place * size) for place, size in zip(view["place"], (width, height), strict=True))
    part = frames[:, y : y + max(1, int(view["side"] * height)), x : x + max(1, int(view["side"] * width))]
    return part[:, :, ::-1] if view["mirror"] else part


def _light(view: View) -> np.ndarray:
    return np.array([view["mean"], view["spread"]])


def _check(view: View) -> None:
    (x, y), side, mirror = view["place"], view["side"], view["mirror"]
    if not (0 < side <= 1 and min(x, y) >= 0 and max(x, y) + side <= 1 + 1e-9):
        raise ValueError(f"a view of {side} of the picture at {x}, {y} is no part of it")
    light = [*view["mean"], *view["spread"]]
    if len(light) != 6 or not all(0 <= level <= 255 for level in light) or not isinstance(mirror, bool):
        raise ValueError(f"a view cannot have mean and spread {light[:8]} and mirror {mirror!r}")
