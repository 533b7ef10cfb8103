"""Generated scenes in which time has a direction: the task arrow_of_time has an answer in each second of them.

The scenes of `generated_videos` have none: camera and objects move evenly, which looks as natural backwards; their
light rises, and that task evens it. Here a comet leaves a trail that fades, sparks burst apart and slow down, and a
ball falls, bounces and loses height. The light stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import cv2
import numpy as np

from videossr_verl.tiny.generated_videos import texture

_TRAIL = 9  # blobs behind a comet's head, and seconds between them
_TRAIL_STEP = 0.06
_SPARKS = 9
_BURST_EVERY = 0.9  # seconds
_FALL_EVERY = 1.6
_KEPT = 0.6  # share of the speed that a bounce keeps


class _Blob(NamedTuple):
    """A soft spot: centre and radius in shares of the picture's side, and how much it covers, 0 to 1."""

    x: float
    y: float
    radius: float
    cover: float


_Mover = Callable[[float], Iterable[_Blob]]  # what is to be seen of a thing after so many seconds


def generate_arrow_frames(
    rng: np.random.Generator, num_frames: int, fps: float, height: int = 112, width: int = 112
) -> np.ndarray:
    """Returns uint8 frames (T, H, W, 3) of one scene: a comet, bursts of sparks and a bouncing ball before a texture
    that drifts.
    """
    world = texture(rng, 2 * max(height, width))
    heading, drift = rng.uniform(0, 2 * math.pi), rng.uniform(0.02, 0.08)
    seconds = num_frames / fps
    movers = [(make(rng, seconds), rng.uniform(0, 255, 3).astype(np.float32)) for make in (_comet, _bursts, _ball)]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    for i in range(num_frames):
        gone = drift * i / fps
        corner = width / 2 + gone * width * math.cos(heading), height / 2 + gone * height * math.sin(heading)
        matrix = np.array([[1, 0, corner[0]], [0, 1, corner[1]]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        frame = cv2.warpAffine(world, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
        for blobs, colour in movers:
            for blob in blobs(i / fps):
                away = (columns - blob.x * width) ** 2 + (rows - blob.y * height) ** 2
                alpha = (blob.cover * np.exp(-away / (blob.radius * min(height, width)) ** 2))[..., None]
                frame = frame * (1 - alpha) + alpha * colour
        frames[i] = np.clip(frame, 0, 255)
    return frames


def _comet(rng: np.random.Generator, seconds: float) -> _Mover:
    speed, phase = rng.uniform(1.5, 3.0, 2), rng.uniform(0, 2 * math.pi, 2)
    radius = rng.uniform(0.05, 0.08)

    def blobs(t: float) -> Iterable[_Blob]:
        for k in reversed(range(_TRAIL)):
            x, y = 0.5 + 0.4 * np.sin(speed * (t - k * _TRAIL_STEP) + phase)
            yield _Blob(x, y, radius * (1 - 0.6 * k / _TRAIL), 0.75**k)

    return blobs


def _bursts(rng: np.random.Generator, seconds: float) -> _Mover:
    first = -rng.uniform(0, _BURST_EVERY)
    places = rng.uniform(0.2, 0.8, (math.ceil(seconds / _BURST_EVERY) + 1, 2))
    ways = rng.uniform(0, 2 * math.pi, (len(places), _SPARKS))
    reach = rng.uniform(0.25, 0.4)

    def blobs(t: float) -> Iterable[_Blob]:
        number, since = divmod(t - first, _BURST_EVERY)
        x, y = places[int(number)]
        out = reach * (1 - math.exp(-4 * since))
        for way in ways[int(number)]:
            yield _Blob(x + out * math.cos(way), y + out * math.sin(way), 0.04, math.exp(-2 * since))

    return blobs


def _ball(rng: np.random.Generator, seconds: float) -> _Mover:
    first = -rng.uniform(0, _FALL_EVERY)
    columns = rng.uniform(0.1, 0.9, math.ceil(seconds / _FALL_EVERY) + 1)
    radius, gravity = rng.uniform(0.06, 0.1), rng.uniform(4, 8)

    def blobs(t: float) -> Iterable[_Blob]:
        number, since = divmod(t - first, _FALL_EVERY)
        yield _Blob(columns[int(number)], 0.9 - _height(since, 0.8, gravity), radius, 1)

    return blobs


def _height(since: float, start: float, gravity: float) -> float:
    """Returns how high a ball is after so many seconds that fell from the height `start` and bounced."""
    speed, flight = math.sqrt(2 * gravity * start), math.sqrt(2 * start / gravity)
    since += flight  # as if thrown up to the start
    while since > 2 * flight and flight > 0.01:
        since -= 2 * flight
        flight, speed = flight * _KEPT, speed * _KEPT
    return max(0.0, speed * since - gravity * since**2 / 2)
