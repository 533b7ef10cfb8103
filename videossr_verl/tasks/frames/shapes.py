"""Plain filled shapes drawn over pictures: where they fit, which colours show, and how they are drawn.

A placement is data relative to the picture, so that it draws the same picture at any training size:
    [x, y, size, angle, red, green, blue]
with
    x, y              centre as shares of width and height
    size              share of the short side: a circle's diameter, a square's or equilateral triangle's side
    angle             degrees, counter-clockwise
    red, green, blue  0..255

The release let shapes hide each other in two thirds of its frames of three; here the circumscribed circles of
any two keep a gap, and none reaches the picture's border.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from videossr_verl.tasks.contract import CannotDraw

SHAPES = ("circle", "square", "triangle")
Placement = list[float]  # [x, y, size, angle, red, green, blue], see above

MIN_CONTRAST = 25.0
"""Least CIE 1976 colour difference to the background (2 is just noticeable, 100 is black on white)."""

# Radius of the circumscribed circle per size, and per radius of the inscribed circle.
_RADIUS = {"circle": 0.5, "square": math.sqrt(0.5), "triangle": math.sqrt(1 / 3)}
_OUTER = {"circle": 1.0, "square": math.sqrt(2), "triangle": 2.0}
_CORNERS = {"square": (45, 135, 225, 315), "triangle": (90, 210, 330)}  # degrees
_SIZES = ((0.2, 0.4),) * 4 + ((0.2, 0.3),) * 2 + ((0.15, 0.25), (0.1, 0.2))
_GAP = 0.04
_EDGE = 0.03
_ASPECT_SLACK = 0.9
_TRIES = 40
_SHIFT = 4  # sub-pixel bits of cv2's drawing functions
_SPREAD = 0.65  # pixels by which cv2 draws smooth edges too far out (measured)


def place_shapes(frame: np.ndarray, shape: str, count: int, rng: np.random.Generator) -> list[Placement]:
    """Draws random places for `count` instances of one shape on a frame (H, W, 3) uint8.

    Sizes are U(0.2, 0.4) of the short side as in the release. Instances that do not fit in four rounds get
    smaller: first the upper end falls to 0.3, then both ends, down to U(0.1, 0.2). Places hold for every
    picture whose aspect ratio is within 10 % of this one's, as other training sizes round differently.
    Colours are U{50..255} per channel, drawn again until `contrast` is at least `MIN_CONTRAST`.

    Raises:
        CannotDraw: they do not fit, or no colour shows.
    """
    for low, high in _SIZES:
        sizes = rng.uniform(low, high, count).round(3)
        places = _fit(_RADIUS[shape], sizes, frame.shape[1] / frame.shape[0], rng)
        if places is None:
            continue
        colours = [_pick_colour(frame, shape, place, rng) for place in places]
        if all(colours):
            return [place + colour for place, colour in zip(places, colours, strict=True)]
    raise CannotDraw(f"no room or no contrast for {count} {shape}s in one frame")


def draw_shapes(frame: np.ndarray, shape: str, placements: Sequence[Sequence[float]]) -> None:
    """Draws filled, anti-aliased instances of `shape` into `frame` (H, W, 3) uint8, C-contiguous, in place.

    ValueError for a placement that is out of range.
    """
    for x, y, size, angle, *colour in placements:
        inside = 0 <= x <= 1 and 0 <= y <= 1 and 0 < size <= 1 and abs(angle) <= 360
        if not (inside and len(colour) == 3 and all(0 <= c <= 255 for c in colour)):
            raise ValueError(f"a {shape} cannot be placed at {[x, y, size, angle, *colour][:8]}")
        radius = size * min(frame.shape[:2]) * _RADIUS[shape] - _SPREAD * _OUTER[shape]
        # Pixel i covers [i, i + 1) of the picture, and cv2 counts from pixel centres.
        centre = np.array([x * frame.shape[1], y * frame.shape[0]]) - 0.5
        if shape == "circle":
            at, r = _fixed(centre), int(_fixed(radius))
            cv2.circle(frame, tuple(map(int, at)), r, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)
        else:
            turn = np.radians(np.array(_CORNERS[shape]) + angle)
            corners = centre + radius * np.stack([np.cos(turn), -np.sin(turn)], axis=1)
            cv2.fillPoly(frame, [_fixed(corners)], colour, cv2.LINE_AA, _SHIFT)


def contrast(frame: np.ndarray, colour: Sequence[float], shape: str, placement: Sequence[float]) -> float:
    """Returns how well `colour` stands out at a place: its colour difference from the background, 0 to about 200.

    The background is the circumscribed circle, a quarter larger, in `frame` (H, W, 3) uint8. The difference
    is CIE 1976 (distance in L*a*b*) at the 20th percentile of its pixels: four fifths of them differ at least
    that much.
    """
    return _contrast(_background(frame, shape, placement), colour)


def _background(frame: np.ndarray, shape: str, placement: Sequence[float]) -> np.ndarray:
    x, y, size = placement[:3]
    h, w = frame.shape[:2]
    radius = 1.25 * size * min(h, w) * _RADIUS[shape]
    rows, columns = np.ogrid[:h, :w]
    inside = (columns + 0.5 - x * w) ** 2 + (rows + 0.5 - y * h) ** 2 <= radius**2
    return _lab(frame[inside])


def _contrast(background: np.ndarray, colour: Sequence[float]) -> float:
    distance = np.linalg.norm(background - _lab(np.array([colour], np.uint8)), axis=1)
    return float(np.percentile(distance, 20))


def _lab(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]


def _fit(radius_of_size: float, sizes: np.ndarray, aspect: float, rng: np.random.Generator) -> list[Placement] | None:
    """Draws [x, y, size, angle] for each size, largest first. Returns None if one finds no room.

    Works in units of the short side, in the picture nearest to a square that the slack allows: there all
    distances are shortest.
    """
    width = max(1.0, aspect * _ASPECT_SLACK)
    height = max(1.0, _ASPECT_SLACK / aspect)
    radii = np.sort(sizes)[::-1] * radius_of_size
    centres = np.empty((0, 2))
    for i, radius in enumerate(radii):
        edge = radius + _EDGE
        if 2 * edge >= 1:
            return None
        candidates = rng.uniform((edge, edge), (width - edge, height - edge), (_TRIES, 2))
        distance = np.linalg.norm(candidates[:, None] - centres[None], axis=2)
        free = (distance >= radii[:i] + radius + _GAP).all(axis=1)
        if not free.any():
            return None
        centres = np.vstack([centres, candidates[free.argmax()]])
    angles = rng.integers(0, 360, len(sizes))
    shares = (centres / (width, height)).round(3)
    return [
        [float(x), float(y), float(size), int(angle)]
        for (x, y), size, angle in zip(shares, np.sort(sizes)[::-1], angles, strict=True)
    ]


def _pick_colour(frame: np.ndarray, shape: str, place: Placement, rng: np.random.Generator) -> list[int]:
    """Draws [red, green, blue]. Returns an empty list if none of 30 shows."""
    background = _background(frame, shape, place)
    colours = rng.integers(50, 256, (30, 3)).tolist()
    return next((colour for colour in colours if _contrast(background, colour) >= MIN_CONTRAST), [])


def _fixed(pixels: np.ndarray | float) -> np.ndarray:
    return np.round(np.asarray(pixels) * 2**_SHIFT).astype(np.int32)
