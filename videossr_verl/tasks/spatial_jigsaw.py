"""Spatial jigsaw: where in the picture belongs each piece of it? (Spatial-SSRL, arXiv 2510.27606; Visual Jigsaw, arXiv
2509.25190; both with single images.)

Game        The picture is cut into rows x columns regions. The same video shows them in other places, all through the
            clip, and with `turns` each is also mirrored or turned.
Prompt      One video, then the question. Its pieces have numbers in reading order: 1 at the upper left.
Label       The pieces from the upper left to the lower right of the restored picture: "3142". With turns each has the
            letter of how it is shown behind it: "3U,1M,4L,2D"; U upright, M mirrored left to right, R turned a quarter
            clockwise, L a quarter anticlockwise, D upside down.
Reward      1 - sum of the distances in the grid / those of the reversed order; with turns the mean of this and of the
            share of turns that are named (reward_fns.spatial_jigsaw).
Chance      0.40 for 2 x 3 pieces, 0.30 if they are turned.
Knobs       rows, columns: 4 to 9 regions. view: the share of a region's sides that its piece shows, at a random place
            in the region, enlarged to fill the cell. even_light: all pieces have the same mean and spread of each
            colour over the clip. turns: pieces are also turned; they are then square, of the region's shorter side.

One video and not one for each piece: it costs one video's tokens, and the pieces move in step, so what leaves one piece
and comes into another is seen in the same frames. All orders and turns are equally likely, so no place, no order and no
turn is a better guess than another.

Whole regions go on in each other across their edges, and colours alone tell sky from ground. Small views and even
light leave little of that (docs/tasks/spatial_jigsaw.md has what rules earn). A clip is refused where the label would
not be certain: a piece with nothing in it, a piece without motion, two pieces that look alike, black bars (they would
tell the edge of the picture), or, with turns, a piece that looks like itself in another turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.contract import CannotDraw, Sample
from videossr_verl.tasks.frames.grid import cells, put_together
from videossr_verl.tasks.frames.look_alikes import MIN_DIFFERENCE
from videossr_verl.tasks.frames.turns import TURNS, symmetries
from videossr_verl.tasks.frames.views import even_light, light_of
from videossr_verl.tasks.frames.visibility import MIN_MOTION, motion, thumbnails

NAME = "spatial_jigsaw"

_STEPS = 100  # the grid of places in a region, coarse so that a row stays short
_BLACK = 24.0  # grey levels; video black is 16, and a codec's noise lies above it


@dataclass(frozen=True)
class Difficulty:
    """Knobs of the spatial jigsaw; see the module."""

    rows: int = 2
    columns: int = 3
    view: float = 0.5
    even_light: bool = True
    turns: bool = False

    def __post_init__(self) -> None:
        if min(self.rows, self.columns) < 1 or not 4 <= self.rows * self.columns <= 9:
            raise ValueError(f"rows x columns must be 4 to 9 pieces, one digit each, got {self.rows} x {self.columns}")
        if not 0.3 <= self.view <= 1:
            raise ValueError(f"view must be from 0.3 to 1 (the share of a region's sides), got {self.view}")
        for name in ("even_light", "turns"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")


PRESETS = {
    "spatial_jigsaw": Difficulty(),
    "turned": Difficulty(rows=2, columns=2, turns=True),
    "hard": Difficulty(rows=3, columns=3, turns=True),
}


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
) -> Sample:
    """Cuts the picture and draws the pieces' order and turns.

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: not used.

    Raises:
        CannotDraw: empty_piece, still_piece, like_pieces, black_bars or symmetric_piece, as the module says.
    """
    rows, columns = difficulty.rows, difficulty.columns
    places = (rng.integers(0, _STEPS + 1, (rows * columns, 2)) / _STEPS).tolist()
    regions = cells(frames, rows, columns, difficulty.view, difficulty.turns, places)
    light = light_of(np.concatenate(regions)).round(1) if difficulty.even_light else None
    _check_bars(frames)
    _check_pieces(regions, light, difficulty.turns)
    order = rng.permutation(rows * columns)
    turns = "".join(rng.choice(list(TURNS), len(order))) if difficulty.turns else ""
    transform = {"rows": rows, "columns": columns, "view": difficulty.view, "places": places}
    transform |= {"regions": order.tolist(), "turns": turns, "light": [] if light is None else light.tolist()}
    restored = np.argsort(order)
    answer = ",".join(f"{piece + 1}{turns[piece]}" for piece in restored) if turns else _digits(restored)
    return Sample(NAME, _question(difficulty), (clip.spec(NAME, transform),), answer)


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 with the pieces in other places, as a new array.

    Args:
        transform: {"rows", "columns", "view": as in `Difficulty`, "places": of the part that is shown in each region,
            "regions": the one that each piece shows, "turns": for each piece a letter, or "", "light": (2, 3), or []}.
        other_frames: not used.

    Raises:
        ValueError: the transform is none of this task's.
    """
    _check_transform(transform)
    rows, columns, turns = transform["rows"], transform["columns"], transform["turns"]
    regions = cells(frames, rows, columns, transform["view"], bool(turns), transform["places"])
    pieces = [_in_light(regions[i], regions[i], transform["light"]) for i in transform["regions"]]
    if turns:
        pieces = [TURNS[turn](piece) for turn, piece in zip(turns, pieces, strict=True)]
    return put_together(pieces, rows, columns, bool(turns), *frames.shape[1:3])


def _in_light(
    shown: np.ndarray, region: np.ndarray, light: Sequence[Sequence[float]] | np.ndarray | None
) -> np.ndarray:
    """Returns `shown`, a region's frames or their thumbnails, in the light of all pieces, if there is one."""
    return shown if light is None or not len(light) else even_light(shown, light_of(region), np.asarray(light))


def _check_bars(frames: np.ndarray) -> None:
    """Refuses a picture with an edge that stays black."""
    edges = (frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1])
    if any(np.percentile(edge, 99) < _BLACK for edge in edges):
        raise CannotDraw("an edge of the picture is black all through the clip", "black_bars")


def _check_pieces(regions: Sequence[np.ndarray], light: np.ndarray | None, turned: bool) -> None:
    small = [thumbnails(region) for region in regions]
    for i, piece in enumerate(small):
        if motion(piece, piece.mean(axis=(1, 2), keepdims=True)).max() < MIN_DIFFERENCE:
            raise CannotDraw(f"nothing is in the region {i + 1}, so nobody can tell its place", "empty_piece")
        if motion(piece[1:], piece[0]).max() < MIN_MOTION:
            raise CannotDraw(f"nothing moves in the region {i + 1}", "still_piece")
    shown = [_in_light(piece, region, light) for piece, region in zip(small, regions, strict=True)]
    ways = [symmetries(piece) if turned else [piece] for piece in shown]
    for i, (piece, others) in enumerate(zip(shown, ways, strict=True)):
        if _any_alike(piece, others[1:]):
            raise CannotDraw(f"the region {i + 1} looks the same in two turns", "symmetric_piece")
    for i, j in combinations(range(len(shown)), 2):
        if _any_alike(shown[i], ways[j]):
            raise CannotDraw(f"the regions {i + 1} and {j + 1} look the same, so either fits", "like_pieces")


def _any_alike(piece: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    return any(motion(piece, other).max() < MIN_DIFFERENCE for other in others)


def _check_transform(transform: Mapping[str, Any]) -> None:
    rows, columns, places, turns, light = (transform[key] for key in ("rows", "columns", "places", "turns", "light"))
    Difficulty(rows, columns, transform["view"])
    count = rows * columns
    if not isinstance(transform["regions"], list) or sorted(transform["regions"]) != list(range(count)):
        raise ValueError(f"{rows} x {columns} pieces cannot show the regions {str(transform['regions'])[:80]}")
    if np.shape(places) != (count, 2) or not np.all((np.asarray(places) >= 0) & (np.asarray(places) <= 1)):
        raise ValueError(f"{count} parts cannot lie in their regions at {str(places)[:80]}")
    if turns and (len(turns) != count or not set(turns) <= set(TURNS)):
        raise ValueError(f"{count} pieces cannot have the turns {str(turns)[:80]}")
    if light and not (
        np.shape(light) == (2, 3) and np.all(np.asarray(light) >= 0) and np.all(np.asarray(light) <= 255)
    ):
        raise ValueError(f"pieces cannot have the light {str(light)[:80]}")


def _digits(pieces: Sequence[int] | np.ndarray) -> str:
    return "".join(str(piece + 1) for piece in pieces)


def _question(difficulty: Difficulty) -> str:
    count = difficulty.rows * difficulty.columns
    example = [*range(1, count, 2), *range(0, count, 2)]
    asked = f"Answer only with the {count} numbers"
    said, form = "", f"{asked}, without spaces, for example {_digits(example)}."
    if difficulty.turns:
        said = (
            " Each piece is also shown in one of five ways: U upright, as it was; M mirrored left to right; R turned a "
            "quarter clockwise; L turned a quarter anticlockwise; D turned upside down."
        )
        turns = (list(TURNS) * 2)[1 : count + 1]
        shown = ",".join(f"{piece + 1}{turn}" for piece, turn in zip(example, turns, strict=True))
        form = f"{asked}, each with the letter of the way in which it is shown behind it, for example {shown}."
    return (
        f"<video>\nThe picture of this video was cut into {count} regions, {difficulty.rows} rows of "
        f"{difficulty.columns}, and a part of each region is shown in a random place of the same grid, all through "
        f"the video. The pieces that you see have the numbers 1 to {count}, from left to right and from top to "
        f"bottom.{said} Which piece belongs into each place of the original picture? Name the pieces in the order of "
        f"their right places, from left to right and from top to bottom. {form}"
    )
