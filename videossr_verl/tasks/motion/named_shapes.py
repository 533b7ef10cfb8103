"""The shapes that questions name, others that distract from them, and the words for them.

Named shapes are drawn over the others. Those of one question hide each other seldom, and never at an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.moving_shapes import MovingShape, places, stands_out
from videossr_verl.tasks.frames.paths import Path, step, straight, with_event
from videossr_verl.tasks.frames.shapes import SHAPES
from videossr_verl.tasks.motion.difficulty import SPREAD, Difficulty

COLOURS = {
    "red": [215, 30, 35],
    "yellow": [245, 215, 20],
    "green": [30, 150, 50],
    "blue": [30, 80, 220],
    "purple": [160, 50, 190],
    "white": [245, 245, 245],
    "black": [15, 15, 15],
}
INTRODUCTION = (
    "<video>\nShapes were drawn over this video. They move, and what leaves the picture on one side comes back on the "
    "opposite side. "
)
TRIES = 30

_MOST_HIDDEN = 0.15  # share of the frames in which two named shapes may overlap
_SURE_FRAMES = 3  # before and after an event nothing hides it for so long

Look = tuple[str, str]  # colour and shape
Drawn = tuple[str, str, list[MovingShape], dict[str, Any]]  # question, answer, shapes, details


def draw_named(
    frames: np.ndarray,
    moves: Sequence[np.ndarray],
    happens: Sequence[tuple[str, int]] | None,
    difficulty: Difficulty,
    rng: np.random.Generator,
) -> tuple[list[Look], list[MovingShape]]:
    """Draws the places and looks of the named shapes, which move by `moves` and do what `happens`, until all show."""
    why = CannotDraw("the named shapes hide each other", "no_room")
    for _ in range(TRIES):
        starts = rng.uniform(0, 1, (len(moves), 2))
        paths = [_follow(starts[i], move, i, happens, len(frames)) for i, move in enumerate(moves)]
        if _hide_each_other(paths, happens, difficulty.size, frames.shape):
            continue
        looks = _colours_that_show(frames, paths, difficulty, rng)
        if looks is not None:
            pairs = zip(looks, paths, strict=True)
            return looks, [moving_shape(look, path, difficulty, len(frames), rng) for look, path in pairs]
        why = CannotDraw("no colour of a shape differs from what is behind it", "no_contrast")
    raise why


def _colours_that_show(
    frames: np.ndarray, paths: Sequence[Path], difficulty: Difficulty, rng: np.random.Generator
) -> list[Look] | None:
    """Draws for each path a shape, and of the colours that show there one that no other has; None if there is none."""
    looks: list[Look] = []
    for path in paths:
        shape = SHAPES[rng.integers(len(SHAPES))]
        free = [colour for colour in rng.permutation(list(COLOURS)).tolist() if colour not in dict(looks)]
        tried = (((c, shape), moving_shape((c, shape), path, difficulty, len(frames))) for c in free)
        found = next((look for look, one in tried if stands_out(frames, one, difficulty.see_through)), None)
        if found is None:
            return None
        looks.append(found)
    return looks


def draw_distractors(
    frames: np.ndarray,
    looks: Sequence[Look],
    event: str | None,
    difficulty: Difficulty,
    rng: np.random.Generator,
) -> list[MovingShape]:
    """Draws shapes that move on their own: by turns with the colour and with the shape of one of `looks`."""
    used, shapes = set(looks), []
    for i in range(difficulty.distractors):
        twin = looks[i // 2 % len(looks)]
        free = [look for look in product(COLOURS, SHAPES) if look not in used]
        alike = [look for look in free if look[i % 2] == twin[i % 2]]
        look = (alike or free)[rng.integers(len(alike or free))]
        used.add(look)
        # As fast as the faster or as the slower one, so that a colour's speed does not tell a shape's.
        speed = draw_speed(difficulty, rng) * difficulty.ratio ** rng.choice([-0.5, 0.5])
        move = step_in(frames, speed, rng.uniform(0, 360))
        happens = [(event, int(rng.integers(1, len(frames) - 2)))] if event else None
        path = _follow(rng.uniform(0, 1, 2), move, 0, happens, len(frames))
        shapes.append(moving_shape(look, path, difficulty, len(frames), rng))
    return shapes


def _follow(
    start: np.ndarray, move: np.ndarray, i: int, happens: Sequence[tuple[str, int]] | None, num_frames: int
) -> Path:
    return with_event(*happens[i], start, move, num_frames) if happens else straight(start, move, num_frames)


def _hide_each_other(
    paths: Sequence[Path], happens: Sequence[tuple[str, int]] | None, size: float, shape: tuple[int, ...]
) -> bool:
    """Returns whether two shapes overlap for long, or near an event of either."""
    num_frames, height, width = shape[:3]
    scale = np.array([width, height]) / min(height, width)
    at = [places({"path": path}, num_frames) for path in paths]
    for i, j in combinations(range(len(paths)), 2):
        apart = np.abs(at[i] - at[j])
        overlap = np.linalg.norm(np.minimum(apart, 1 - apart) * scale, axis=1) < size
        near = [overlap[max(0, f - _SURE_FRAMES) : f + _SURE_FRAMES + 1].any() for _, f in happens or ()]
        if overlap.mean() > _MOST_HIDDEN or (happens and (near[i] or near[j])):
            return True
    return False


def moving_shape(
    look: Look, path: Path, difficulty: Difficulty, until: int, rng: np.random.Generator | None = None
) -> dict[str, Any]:
    """Returns a shape of this look on `path`, shown before frame `until`; turned at random if `rng` is given."""
    colour, shape = look
    angle = 0 if rng is None else int(rng.integers(360))
    return {
        "shape": shape,
        "size": difficulty.size,
        "angle": angle,
        "colour": COLOURS[colour],
        "path": path,
        "until": until,
    }


def draw_speed(difficulty: Difficulty, rng: np.random.Generator) -> float:
    """Draws a speed around the difficulty's, short sides a frame."""
    return difficulty.speed * rng.uniform(1 - SPREAD, 1 + SPREAD)


def step_in(frames: np.ndarray, speed: float, angle: float) -> np.ndarray:
    """Returns the step of `speed` short sides at `angle` degrees in these frames, see `frames.paths`."""
    return step(angle, speed, (frames.shape[1], frames.shape[2]))


def name_of(look: Look) -> str:
    """Returns a shape's name in questions: "red square"."""
    return " ".join(look)


def numbered(looks: Sequence[Look]) -> str:
    """Returns a question's list of shapes, from 1."""
    return "".join(f"{i}: the {name_of(look)}. " for i, look in enumerate(looks, 1))
