"""Glass: a picture as another screen, or another editor, may show it. What is to be seen stays; pixels and colours do
not.

As data, relative to the picture, so that it is the same at any training size:
    {"tilt": degrees, "gamma": g, "hue": degrees, "blur": share}
with
    tilt    turn of the picture, counter-clockwise
    gamma   exponent of the grey levels, of 0 to 1
    hue     turn of all colours about the grey axis: greys stay, and a green may become a blue
    blur    standard deviation of a Gaussian, as a share of the short side
Each is drawn once per video, so that nothing flickers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np

Glass = Mapping[str, float]

# At full strength; `draw_glass` gives nothing beyond these.
_MOST_GAMMA = 1.5
_MOST_HUE = 180.0
_MOST_BLUR = 0.012
_LARGEST_TILT = 45.0


def draw_glass(strength: float, tilt: float, rng: np.random.Generator) -> dict[str, float]:
    """Draws a glass of `strength` 0 (clear) to 1, turned by up to `tilt` degrees to either side."""
    sign, exponent, hue, blur = rng.uniform((-1, -1, -1, 0), 1) * (1, strength, strength, strength)
    return {
        "tilt": round(sign * tilt, 1),
        "gamma": round(_MOST_GAMMA**exponent, 3),
        "hue": round(hue * _MOST_HUE, 1),
        "blur": round(blur * _MOST_BLUR, 4),
    }


def check_glass(glass: Glass) -> None:
    """Raises ValueError for what no `draw_glass` gives."""
    limits = {
        "tilt": (-_LARGEST_TILT, _LARGEST_TILT),
        "gamma": (1 / _MOST_GAMMA - 0.001, _MOST_GAMMA + 0.001),
        "hue": (-_MOST_HUE, _MOST_HUE),
        "blur": (0.0, _MOST_BLUR),
    }
    if set(glass) != set(limits) or not all(low <= glass[name] <= high for name, (low, high) in limits.items()):
        raise ValueError(f"no glass is {str(dict(glass))[:120]}")


def tilted(glass: Glass, frames: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 turned about `centre`, shares of width and height, as a new array. What lies
    outside of the picture is its reflection.
    """
    height, width = frames.shape[1:3]
    turn = cv2.getRotationMatrix2D((centre[0] * width, centre[1] * height), glass["tilt"], 1)
    size, reflect = (width, height), cv2.BORDER_REFLECT_101
    return np.stack([cv2.warpAffine(np.ascontiguousarray(f), turn, size, borderMode=reflect) for f in frames])


def stained(glass: Glass, frames: np.ndarray) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 with the glass's gamma, hue and blur, as a new array."""
    levels = (255 * (np.arange(256) / 255) ** glass["gamma"]).astype(np.float32)
    colours, sigma = _hue_turn(glass["hue"]), glass["blur"] * min(frames.shape[1:3])
    out = np.empty_like(frames)
    for frame, shown in zip(frames, out, strict=True):
        seen = cv2.transform(levels[frame], colours)
        if sigma > 0:
            seen = cv2.GaussianBlur(seen, (0, 0), sigma)
        shown[:] = np.clip(seen, 0, 255).round()
    return out


def _hue_turn(degrees: float) -> np.ndarray:
    """Returns the (3, 3) turn of red, green and blue about the grey axis."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array(
        [[(1 - cos) / 3 + (cos if i == j else sin * (1, -1)[(j - i) % 3 == 1] / math.sqrt(3)) for j in range(3)]
         for i in range(3)],
        np.float32,
    )  # fmt: skip
