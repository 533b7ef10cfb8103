"""Motion primitives: shapes that were drawn over a video move; how? (After the motion primitives of SynRL, arXiv
2603.17693, drawn over real frames.)

Game        Coloured shapes move over the clip's frames. A question names one or some of them, by colour and shape.
Prompt      One video, then the question. The kinds of questions:
                direction   which way does a shape move?
                faster      which of two shapes moves faster?
                order       in which order do n shapes stop (or start, or turn round)?
                hidden      a shape hides behind one of k equal squares, which then change places in pairs: behind which
                            one is it in the end?
Label       "up-left"; "1" or "2"; n digits, the shapes from the earliest to the latest; the square's place from the
            left. Each is uniform, and drawn before anything that may be refused, so that it stays so.
Reward      reward_fns.motion_primitives.
Chance      0.25, 0.5, 0.333 (n = 3) and 0.333 (k = 3).
Knobs       kinds: to draw from, evenly; directions: 4 or 8; ratio: of the two speeds of faster; num_events: n, 3 to 6;
            min_gap: frames from one event to the next; num_cups: k, 3 to 5 (with two, the number of swaps would tell);
            num_swaps; distractors: other shapes that move, 0 to 6, by turns of a named one's colour and of a named
            one's shape; size: of the shapes, share of the short side; speed: short sides a frame, on average;
            see_through, flicker: see `frames.moving_shapes`.

No single frame tells an answer. The picture is a torus, on which straight paths start anywhere (`frames.paths`), so the
place of a shape is uniform in each frame, whichever way and however fast it moves. Shapes are there from the first
frame to the last, so no event shows in one frame. Squares are equal, and their last place does not depend on the first.
Named shapes are drawn over the others, and those of one question hide each other seldom, and never at an event.
Steps are the same from frame to frame, so each pair of frames that the vision tower merges shows them.

A clip is refused if a named shape does not stand out from what is behind it in any colour ("no_contrast"), if named
shapes find no room ("no_room"), or if it has too few frames for the events or swaps ("too_few_frames").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from reward_fns.directions import DIRECTIONS
from reward_fns.motion_primitives import FEWEST_CUPS, FEWEST_EVENTS, KINDS, MOST_CUPS, MOST_EVENTS
from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.contract import CannotDraw, Sample
from videossr_verl.tasks.frames.apart import draw_apart
from videossr_verl.tasks.frames.moving_shapes import MovingShape, draw_moving, places, stands_out
from videossr_verl.tasks.frames.paths import EVENTS, Path, row_of_places, step, straight, swapped, with_event
from videossr_verl.tasks.frames.shapes import SHAPES

NAME = "motion_primitives"

COLOURS = {
    "red": [215, 30, 35],
    "yellow": [245, 215, 20],
    "green": [30, 150, 50],
    "blue": [30, 80, 220],
    "purple": [160, 50, 190],
    "white": [245, 245, 245],
    "black": [15, 15, 15],
}

_TRIES = 30
_SPREAD = 0.25  # speeds lie so far around `speed`, as a share
_FASTEST = 0.25  # short sides a frame: a longer step could be one to the other side
_MOST_HIDDEN = 0.15  # share of the frames in which two named shapes may overlap
_SURE_FRAMES = 3  # before and after an event nothing hides it for so long
_REVEAL, _SWAP, _REST = 4, 4, 2  # least frames with the hidden shape, of a swap, and after the last one
_RISE = 1.4  # sides of a square by which it moves up or down to pass others
_INTRODUCTION = (
    "<video>\nShapes were drawn over this video. They move, and what leaves the picture on one side comes back on the "
    "opposite side. "
)
_HAPPENS = {"stop": "stops moving", "start": "starts to move", "turn": "turns round and moves back"}


@dataclass(frozen=True)
class Difficulty:
    """Knobs of motion primitives; see the module."""

    kinds: tuple[str, ...] = KINDS
    directions: int = 8
    ratio: float = 2.0
    num_events: int = 3
    min_gap: int = 6
    num_cups: int = 3
    num_swaps: int = 4
    distractors: int = 2
    size: float = 0.16
    speed: float = 0.04
    see_through: float = 0.0
    flicker: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.kinds, str):
            raise ValueError(f"kinds must be a list of names, got the text '{self.kinds}'")
        object.__setattr__(self, "kinds", tuple(self.kinds))  # JSON and YAML give lists
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds or len(set(self.kinds)) < len(self.kinds):
            got = f"unknown kind '{unknown[0]}'" if unknown else f"kinds is {list(self.kinds)}"
            raise ValueError(f"{got}; choose from, each once: {', '.join(KINDS)}")
        if self.directions not in (4, 8):
            raise ValueError(f"directions must be 4 or 8, got {self.directions}")
        for name, low, high in (
            ("num_events", FEWEST_EVENTS, MOST_EVENTS),
            ("min_gap", 2, 100),
            ("num_cups", FEWEST_CUPS, MOST_CUPS),
            ("num_swaps", 1, 20),
            ("distractors", 0, 6),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be {low} to {high}, got {getattr(self, name)}")
        if not 1.1 <= self.ratio <= 6:
            raise ValueError(f"ratio must be from 1.1 to 6 (of the faster to the slower speed), got {self.ratio}")
        if not 0.08 <= self.size <= 0.3 or ("hidden" in self.kinds and self.size > 0.7 / self.num_cups):
            raise ValueError(
                f"size must be 0.08 to 0.3, with {self.num_cups} cups to {0.7 / self.num_cups:.2f}, got {self.size}"
            )
        if not 0.01 <= self.speed <= _FASTEST / (1 + _SPREAD) / self.ratio**0.5:
            raise ValueError(
                f"speed must be from 0.01 short sides a frame to {_FASTEST / (1 + _SPREAD) / self.ratio**0.5:.3f} with "
                f"the ratio {self.ratio:g}, got {self.speed}"
            )
        if not (0 <= self.see_through <= 0.8 and 0 <= self.flicker <= 0.8):
            raise ValueError(f"see_through and flicker must be 0 to 0.8, got {self.see_through} and {self.flicker}")


PRESETS = {"motion_primitives": Difficulty(ratio=1.5, distractors=4, see_through=0.25, flicker=0.3)}

_Look = tuple[str, str]  # colour and shape


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
) -> Sample:
    """Draws a kind of question, its answer, and shapes that move accordingly.

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: not used.

    Raises:
        CannotDraw: see the module.
    """
    kind = difficulty.kinds[rng.integers(len(difficulty.kinds))]
    question, answer, shapes, details = _DRAW[kind](frames, difficulty, rng)
    transform = {
        "shapes": shapes,
        "see_through": difficulty.see_through,
        "flicker": difficulty.flicker,
        "seed": int(rng.integers(2**31)),
    }
    return Sample(NAME, question, (clip.spec(NAME, transform),), answer, {"kind": kind, **details})


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 with the shapes drawn, as a new array.

    Args:
        transform: {"shapes", "see_through", "flicker", "seed"}, see `frames.moving_shapes`.
        other_frames: not used.
    """
    out = np.array(frames, order="C")
    draw_moving(out, transform["shapes"], transform["see_through"], transform["flicker"], transform["seed"])
    return out


_Drawn = tuple[str, str, list[MovingShape], dict[str, Any]]  # question, answer, shapes, details


def _draw_direction(frames: np.ndarray, difficulty: Difficulty, rng: np.random.Generator) -> _Drawn:
    ways = DIRECTIONS[:: len(DIRECTIONS) // difficulty.directions]
    answer = ways[rng.integers(len(ways))]
    move = _move(frames, _speed(difficulty, rng), DIRECTIONS.index(answer) * 45)
    looks, shapes = _named(frames, [move], None, difficulty, rng)
    question = (
        f"{_INTRODUCTION}In which direction does the {_name(looks[0])} move? Answer only with one of these: "
        f"{', '.join(ways)}."
    )
    return question, answer, _distractors(frames, looks, None, difficulty, rng) + shapes, {}


def _draw_faster(frames: np.ndarray, difficulty: Difficulty, rng: np.random.Generator) -> _Drawn:
    answer = int(rng.integers(2))
    slow = _speed(difficulty, rng) / difficulty.ratio**0.5
    speeds = [slow * (difficulty.ratio if i == answer else 1) for i in range(2)]
    moves = [_move(frames, speed, rng.uniform(0, 360)) for speed in speeds]
    looks, shapes = _named(frames, moves, None, difficulty, rng)
    question = f"{_INTRODUCTION}Which of these moves faster? {_numbered(looks)}Answer only with 1 or 2."
    details = {"speeds": [round(speed, 4) for speed in speeds]}
    return question, str(answer + 1), _distractors(frames, looks, None, difficulty, rng) + shapes, details


def _draw_order(frames: np.ndarray, difficulty: Difficulty, rng: np.random.Generator) -> _Drawn:
    n, event = difficulty.num_events, EVENTS[rng.integers(len(EVENTS))]
    at = _event_frames(len(frames), n, difficulty.min_gap, rng)
    order = rng.permutation(n)  # the shapes from the earliest event to the latest
    happens = [(event, at[int(place)]) for place in np.argsort(order)]
    moves = [_move(frames, _speed(difficulty, rng), rng.uniform(0, 360)) for _ in range(n)]
    looks, shapes = _named(frames, moves, happens, difficulty, rng)
    example = "".join(map(str, [*range(2, n + 1), 1]))
    question = (
        f"{_INTRODUCTION}Each of these {_HAPPENS[event]} once. {_numbered(looks)}In which order does that happen? "
        f"Answer only with the {n} numbers from the earliest to the latest, without spaces, for example {example}."
    )
    answer = "".join(str(i + 1) for i in order)
    others = _distractors(frames, looks, event, difficulty, rng)
    return question, answer, others + shapes, {"event": event, "frames": [frame for _, frame in happens]}


def _draw_hidden(frames: np.ndarray, difficulty: Difficulty, rng: np.random.Generator) -> _Drawn:
    count, size = difficulty.num_cups, frames.shape[1:3]
    reveal = max(_REVEAL, len(frames) // 16 * 2)
    length = min(8, (len(frames) - reveal - _REST) // difficulty.num_swaps // 2 * 2)
    if length < _SWAP:
        raise CannotDraw(f"{len(frames)} frames are too few for {difficulty.num_swaps} swaps", "too_few_frames")
    first, answer = (int(place) for place in rng.integers(count, size=2))
    rise = _RISE * difficulty.size * min(size) / size[0]
    for _ in range(_TRIES):
        row = row_of_places(count, rng.uniform(0.45, 0.55))
        paths, at = _swaps_to(first, answer, row, difficulty.num_swaps, (reveal, length, rise), rng)
        hider, guest = rng.choice(list(COLOURS), 2, replace=False).tolist()
        cups = [_shape((hider, "square"), path, difficulty, len(frames)) | {"angle": 0} for path in paths]
        if not all(stands_out(frames, cup, difficulty.see_through) for cup in cups):
            continue
        look = (guest, str(rng.choice(SHAPES)))
        inside = _shape(look, [paths[first][0]], difficulty, reveal) | {"size": round(0.6 * difficulty.size, 3)}
        others = _distractors(frames, [(hider, "square"), look], None, difficulty, rng)
        question = (
            f"<video>\nIn the first frames of this video a {_name(look)} lies on one of {count} equal {hider} squares "
            "that stand in a row. Then it hides behind that square, and squares change places in pairs. Behind which "
            f"square is it in the end? Answer only with its place from the left, a number from 1 to {count}."
        )
        return question, str(at[first] + 1), [*others, *cups, inside], {"first": first + 1}
    raise CannotDraw("no colour of the squares differs from what is behind them", "no_contrast")


_DRAW = {"direction": _draw_direction, "faster": _draw_faster, "order": _draw_order, "hidden": _draw_hidden}


def _named(
    frames: np.ndarray,
    moves: Sequence[np.ndarray],
    happens: Sequence[tuple[str, int]] | None,
    difficulty: Difficulty,
    rng: np.random.Generator,
) -> tuple[list[_Look], list[MovingShape]]:
    """Draws the places and looks of the named shapes, which move by `moves` and do what `happens`, until all show."""
    why = CannotDraw("the named shapes hide each other", "no_room")
    for _ in range(_TRIES):
        starts = rng.uniform(0, 1, (len(moves), 2))
        paths = [_follow(starts[i], move, i, happens, len(frames)) for i, move in enumerate(moves)]
        if _hide_each_other(paths, happens, difficulty.size, frames.shape):
            continue
        looks = _colours_that_show(frames, paths, difficulty, rng)
        if looks is not None:
            pairs = zip(looks, paths, strict=True)
            return looks, [_shape(look, path, difficulty, len(frames), rng) for look, path in pairs]
        why = CannotDraw("no colour of a shape differs from what is behind it", "no_contrast")
    raise why


def _colours_that_show(
    frames: np.ndarray, paths: Sequence[Path], difficulty: Difficulty, rng: np.random.Generator
) -> list[_Look] | None:
    """Draws for each path a shape, and of the colours that show there one that no other has; None if there is none."""
    looks: list[_Look] = []
    for path in paths:
        shape = SHAPES[rng.integers(len(SHAPES))]
        free = [colour for colour in rng.permutation(list(COLOURS)).tolist() if colour not in dict(looks)]
        tried = (((c, shape), _shape((c, shape), path, difficulty, len(frames))) for c in free)
        found = next((look for look, one in tried if stands_out(frames, one, difficulty.see_through)), None)
        if found is None:
            return None
        looks.append(found)
    return looks


def _distractors(
    frames: np.ndarray,
    looks: Sequence[_Look],
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
        speed = _speed(difficulty, rng) * difficulty.ratio ** rng.choice([-0.5, 0.5])
        move = _move(frames, speed, rng.uniform(0, 360))
        happens = [(event, int(rng.integers(1, len(frames) - 2)))] if event else None
        path = _follow(rng.uniform(0, 1, 2), move, 0, happens, len(frames))
        shapes.append(_shape(look, path, difficulty, len(frames), rng))
    return shapes


def _follow(
    start: np.ndarray, move: np.ndarray, i: int, happens: Sequence[tuple[str, int]] | None, num_frames: int
) -> Path:
    return with_event(*happens[i], start, move, num_frames) if happens else straight(start, move, num_frames)


def _swaps_to(
    first: int,
    last: int,
    row: np.ndarray,
    count: int,
    timing: tuple[int, int, float],
    rng: np.random.Generator,
) -> tuple[list[Path], list[int]]:
    """Draws `count` swaps that bring what stands at place `first` to `last`; all such are equally likely."""
    while True:  # one in len(row) draws or more does
        swaps = [tuple(rng.choice(len(row), 2, replace=False).tolist()) for _ in range(count)]
        paths, at = swapped(row, swaps, *timing)
        if at[first] == last:
            return paths, at


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


def _event_frames(num_frames: int, count: int, gap: int, rng: np.random.Generator) -> list[int]:
    """Draws the last frames of the old motions: the second frames of pairs that the vision tower merges."""
    pairs, apart = num_frames // 2 - 3, -(-gap // 2)
    if pairs <= (count - 1) * apart:
        raise CannotDraw(f"{num_frames} frames are too few for {count} events, {gap} frames apart", "too_few_frames")
    return [2 * pair + 3 for pair in draw_apart(pairs, count, apart, rng)]


def _shape(
    look: _Look, path: Path, difficulty: Difficulty, until: int, rng: np.random.Generator | None = None
) -> dict[str, Any]:
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


def _speed(difficulty: Difficulty, rng: np.random.Generator) -> float:
    return difficulty.speed * rng.uniform(1 - _SPREAD, 1 + _SPREAD)


def _move(frames: np.ndarray, speed: float, angle: float) -> np.ndarray:
    return step(angle, speed, (frames.shape[1], frames.shape[2]))


def _name(look: _Look) -> str:
    return " ".join(look)


def _numbered(looks: Sequence[_Look]) -> str:
    return "".join(f"{i}: the {_name(look)}. " for i, look in enumerate(looks, 1))
