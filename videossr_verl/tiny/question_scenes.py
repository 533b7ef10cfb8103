"""Generated scenes whose content is known: soft spots before a texture that drifts, each on a path of its own.

A scene is planned first, as a list of spots that the answer to a question follows from, and then drawn. Scenes of the
same number that differ in their answer have the same ground and the same places, so the ground tells no answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from videossr_verl.tiny.generated_videos import texture

# The frames of a video that the preset videossr_tiny shows: 8 from the first behind the margin of 5 % on, 4 a second.
FIRST_SHOWN = 1 / 6  # seconds
STEP = 0.25
SHOWN = tuple(STEP * number for number in range(8))  # the clock of these frames
LAST = SHOWN[-1]

KINDS: dict[str, tuple[str, ...]] = {
    "direction": ("left", "right", "up", "down"),
    "how_many": ("1", "2", "3", "4"),
    "which_first": ("red", "blue"),
    "when": tuple(f"{seconds:g}" for seconds in SHOWN),
}  # each kind's answers, which are equally likely
SECONDS = 3.0
FPS = 12
SIDE = 112

_WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_COLOURS = {"red": (240, 40, 30), "blue": (40, 70, 250)}
_SPEEDS = (0.18, 0.28)  # sides a second: less than half the ring in all, or the way back would be as near
_STAYS = 2 * STEP  # how long a red or blue spot is there
_APART = 0.3  # between spots that are counted, in sides
_DIM = 0.45  # light of the ground, so that spots stand out


class Spot(NamedTuple):
    """A soft spot on a straight path. A spot that leaves the picture comes back on the other side.

    Attributes:
        x, y: place in the middle of the clock, in sides of the picture, from its upper left corner.
        radius: in sides; colour: RGB, 0 to 255.
        velocity: sides a second, to the right and down.
        start, stop: when it is there, seconds on the clock of the shown frames.
    """

    x: float
    y: float
    radius: float
    colour: tuple[float, float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    start: float = -math.inf
    stop: float = math.inf

    def place(self, clock: float) -> tuple[float, float]:
        """Returns (x, y) at a time, each from 0 to below 1."""
        since = clock - LAST / 2
        return (self.x + self.velocity[0] * since) % 1, (self.y + self.velocity[1] * since) % 1


def plan_scene(kind: str, answer: str, rng: np.random.Generator) -> list[Spot]:
    """Returns the spots of a scene of one of `KINDS`, in the order in which they come.

    Takes as many numbers from `rng` for each answer.
    """
    return _PLANS[kind](answer, rng)


def _crosses(answer: str, rng: np.random.Generator) -> list[Spot]:
    """Places are uniform in each frame for each answer, so no single frame tells the way."""
    spot, speed = _draw_spot(rng, 0.16, 0.22), rng.uniform(*_SPEEDS)
    right, down = _WAYS[answer]
    return [spot._replace(velocity=(right * speed, down * speed))]


def _stay(answer: str, rng: np.random.Generator) -> list[Spot]:
    most = max(map(int, KINDS["how_many"]))
    while True:
        spots = [_draw_spot(rng, 0.08, 0.12) for _ in range(most)]
        places = np.array([(spot.x, spot.y) for spot in spots])
        distances = np.linalg.norm(places[:, None] - places, axis=2)[np.triu_indices(most, 1)]
        if distances.min() > _APART and ((places > 0.12) & (places < 0.88)).all():
            return spots[: int(answer)]


def _follow(answer: str, rng: np.random.Generator) -> list[Spot]:
    """Both are there equally long and never together: a frame shows one of them, or none."""
    length, count = round(_STAYS / STEP), len(SHOWN)
    pairs = [(a, b) for a in range(count) for b in range(a + length, count - length + 1)]
    numbers = pairs[int(rng.integers(len(pairs)))]
    spots = []
    for colour, number in zip(sorted(_COLOURS, key=lambda colour: colour != answer), numbers, strict=True):
        x, y, radius, _, *_ = _draw_spot(rng, 0.14, 0.2)
        start = (number - 0.5) * STEP
        spots.append(Spot(x, y, radius, _COLOURS[colour], start=start, stop=start + _STAYS))
    return spots


def _flashes(answer: str, rng: np.random.Generator) -> list[Spot]:
    """One shown frame has it, so without its place among the others a frame tells nothing."""
    middle = float(answer)
    return [_draw_spot(rng, 0.15, 0.22)._replace(start=middle - STEP / 2, stop=middle + STEP / 2)]


_PLANS: dict[str, Callable[[str, np.random.Generator], list[Spot]]] = {
    "direction": _crosses,
    "how_many": _stay,
    "which_first": _follow,
    "when": _flashes,
}


def _draw_spot(rng: np.random.Generator, smallest: float, largest: float) -> Spot:
    (x, y), light = rng.uniform(0, 1, 2).tolist(), rng.uniform(170, 255, 3).tolist()
    return Spot(x, y, rng.uniform(smallest, largest), tuple(light))


def draw_question_frames(
    kind: str, answer: str, rng: np.random.Generator, num_frames: int, fps: float, height: int, width: int
) -> np.ndarray:
    """Returns uint8 frames (T, H, W, 3) of the scene that `plan_scene` makes of the same `rng`."""
    times = [i / fps for i in range(num_frames)]
    return draw_spots(plan_scene(kind, answer, rng), rng, times, height, width)


def draw_spots(
    spots: Sequence[Spot], rng: np.random.Generator, times: Sequence[float], height: int, width: int
) -> np.ndarray:
    """Returns uint8 frames (T, H, W, 3) of spots before a ground that `rng` draws, at seconds of a video."""
    world = _DIM * texture(rng, 2 * max(height, width))
    heading, drift = rng.uniform(0, 2 * math.pi), rng.uniform(0.02, 0.08)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    frames = np.empty((len(times), height, width, 3), np.uint8)
    for i, time in enumerate(times):
        gone = drift * time
        corner = width / 2 + gone * width * math.cos(heading), height / 2 + gone * height * math.sin(heading)
        matrix = np.array([[1, 0, corner[0]], [0, 1, corner[1]]], np.float32)
        frame = cv2.warpAffine(world, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
        clock = time - FIRST_SHOWN
        for spot in spots:
            if spot.start <= clock < spot.stop:
                x, y = spot.place(clock)
                # It is seen on both sides while it goes through a border.
                fade = np.outer(_fade(y, spot.radius, height), _fade(x, spot.radius, width))[..., None]
                frame = frame * (1 - fade) + fade * np.array(spot.colour, np.float32)
        frames[i] = np.clip(frame, 0, 255)
    return frames


def _fade(place: float, radius: float, size: int) -> np.ndarray:
    """Returns a bell (size,) around a place, on a ring."""
    away = np.abs((np.arange(size, dtype=np.float32) + 0.5) / size - place)
    return np.exp(-((np.minimum(away, 1 - away) / radius) ** 2))
