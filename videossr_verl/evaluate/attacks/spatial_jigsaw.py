"""Rules for the spatial jigsaw: neighbours go on in each other, look alike or move alike, and the sky is above."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from videossr_verl.evaluate.attacks.paths import cheapest_path
from videossr_verl.evaluate.attacks.pictures import colours, differences, shift, small, without_light
from videossr_verl.evaluate.attacks.placements import cheapest_placement
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.tasks.frames.grid import SHOWN, cells
from videossr_verl.tasks.frames.turns import TURNS

_GRID = re.compile(r"(\d) rows of (\d)")
_SIDE = 24  # pixels of a piece
_LAGS = 6  # frames by which what leaves a piece may come late into the next
_SLIDES = 4  # pixels by which it may have moved along the edge meanwhile
# The turn that makes each turn upright again.
_BACK = {"U": "U", "M": "M", "R": "L", "D": "D", "L": "R"}


@dataclass(frozen=True)
class _Puzzle:
    """The pieces of a question, each in every way in which it may have been before it was turned.

    Attributes:
        rows, columns: of the grid.
        ways: m arrays (T, h, w, 3) float32, small.
        piece: (m,) the piece that each shows.
        turns: for each the letter of the turn that it undoes; "" if pieces are not turned.
    """

    rows: int
    columns: int
    ways: list[np.ndarray]
    piece: np.ndarray
    turns: Sequence[str]


def blind(shown: Shown) -> str:
    """Answers that all is in its place."""
    puzzle = _puzzle(shown)
    return _answer(puzzle, np.flatnonzero(np.isin(puzzle.turns, ["", "U"])))


def edges(shown: Shown) -> str:
    """Guesses that colours go on across the edge of two neighbours, in all frames."""
    puzzle = _puzzle(shown)
    return _solve(puzzle, puzzle.ways, _edges_apart)


def edges_without_light(shown: Shown) -> str:
    """Answers the same, measured on grey pieces of equal brightness and contrast."""
    puzzle = _puzzle(shown)
    return _solve(puzzle, [without_light(way)[..., None] for way in puzzle.ways], _edges_apart)


def edges_extended(shown: Shown) -> str:
    """Answers the same of edges that are extended half across the gap, in a straight line."""
    puzzle = _puzzle(shown)
    return _solve(puzzle, [_smooth(way) for way in puzzle.ways], _extended_apart)


def stripes(shown: Shown) -> str:
    """Guesses that the profiles along the edge of two neighbours, each a third of a piece deep, are correlated."""
    puzzle = _puzzle(shown)
    return _solve(puzzle, puzzle.ways, _profiles_apart)


def comes_and_goes(shown: Shown) -> str:
    """Guesses that what leaves a piece comes into its neighbour some frames later, perhaps moved along the edge."""
    puzzle = _puzzle(shown)
    return _solve(puzzle, [without_light(way)[..., None] for way in puzzle.ways], _late_apart)


def colour_histogram(shown: Shown) -> str:
    """Guesses that neighbours have the same colours."""
    puzzle = _puzzle(shown)
    found = [colours(way.clip(0, 255).astype(np.uint8)) for way in puzzle.ways]
    return _laid(puzzle, *(differences(found, found),) * 2)


def moves_together(shown: Shown) -> str:
    """Guesses that neighbours move in the same frames."""
    puzzle = _puzzle(shown)
    moved = [np.abs(np.diff(way, axis=0)).mean(axis=(1, 2, 3)) for way in puzzle.ways]
    moved = [(one - one.mean()) / (one.std() + 1e-6) for one in moved]
    return _laid(puzzle, *(differences(moved, moved),) * 2)


def sky_above(shown: Shown) -> str:
    """Guesses that the upper pieces are brighter, bluer and smoother, and each piece's upper part is."""
    puzzle = _puzzle(shown)
    above = np.array([_sky(way) for way in puzzle.ways])
    row = np.repeat(np.linspace(-1, 1, puzzle.rows), puzzle.columns)
    falls = np.array([_sky(way[:, : _SIDE // 2]) - _sky(way[:, _SIDE // 2 :]) for way in puzzle.ways])
    place = row[:, None] * above - falls
    return _laid(puzzle, *(np.zeros((len(above),) * 2),) * 2, place)


def one_motion(shown: Shown) -> str:
    """Guesses that all pieces move the same way, turns them so, and lays them by the profiles of their edges."""
    puzzle = _puzzle(shown)
    flows = np.array([_flow(way) for way in puzzle.ways])
    flows /= np.linalg.norm(flows, axis=1, keepdims=True) + 1e-6
    agree = flows @ flows.T  # [i, j]: how well way j of a piece agrees with the direction of way i
    best = [[max(np.flatnonzero(puzzle.piece == p), key=lambda j: agree[i, j]) for p in np.unique(puzzle.piece)]
            for i in range(len(flows))]  # fmt: skip
    kept = max(best, key=lambda ways: agree[np.ix_(ways, ways)].sum())
    chosen = _Puzzle(puzzle.rows, puzzle.columns, [puzzle.ways[j] for j in kept], puzzle.piece[kept],
                     [puzzle.turns[j] for j in kept])  # fmt: skip
    return _solve(chosen, chosen.ways, _profiles_apart)


def _puzzle(shown: Shown) -> _Puzzle:
    rows, columns = map(int, _GRID.findall(shown.question)[0])
    turned = "upside down" in shown.question
    frames = shown.videos[0]
    pieces = [small(piece, _SIDE) for piece in cells(frames, rows, columns, SHOWN, turned)]
    turns = list(TURNS) if turned else [""]
    ways = [TURNS[_BACK[turn]](piece) if turn else piece for piece in pieces for turn in turns]
    return _Puzzle(rows, columns, ways, np.repeat(np.arange(len(pieces)), len(turns)), turns * len(pieces))


def _solve(puzzle: _Puzzle, ways: Sequence[np.ndarray], apart: Callable[[np.ndarray, np.ndarray], float]) -> str:
    """Lays the pieces so that neighbours are least apart.

    Args:
        apart: of two arrays (T, length, depth, C); the second goes on where the first ends, at depth -1 and 0.
    """
    lying = [way.swapaxes(1, 2) for way in ways]
    return _laid(puzzle, *(np.array([[apart(a, b) for b in some] for a in some]) for some in (ways, lying)))


def _laid(puzzle: _Puzzle, right: np.ndarray, below: np.ndarray, place: np.ndarray | None = None) -> str:
    return _answer(puzzle, cheapest_placement(right, below, puzzle.rows, puzzle.columns, puzzle.piece, place))


def _edges_apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a[:, :, -1] - b[:, :, 0]).mean())


def _extended_apart(a: np.ndarray, b: np.ndarray) -> float:
    depth = _SIDE // 4
    end = a[:, :, -1] + (a[:, :, -1] - a[:, :, -1 - depth]) / 2
    begin = b[:, :, 0] + (b[:, :, 0] - b[:, :, depth]) / 2
    return float(np.abs(end - begin).mean())


def _profiles_apart(a: np.ndarray, b: np.ndarray) -> float:
    depth = _SIDE // 3
    x, y = (_normal(strip.mean(axis=2)) for strip in (a[:, :, -depth:], b[:, :, :depth]))
    return -float((x * y).mean())


def _late_apart(a: np.ndarray, b: np.ndarray) -> float:
    end, begin = a[:, :, -2:].mean(axis=2), b[:, :, :2].mean(axis=2)
    fits = [
        np.abs(_from(end, slide, axis=1) - _from(later, -slide, axis=1)).mean()
        for lag in range(-min(_LAGS, len(end) // 2), min(_LAGS, len(end) // 2) + 1)
        for earlier, later in [(_from(end, lag, axis=0), _from(begin, -lag, axis=0))]
        for end in [earlier]
        for slide in range(-_SLIDES, _SLIDES + 1)
    ]
    return float(min(fits))


def _from(values: np.ndarray, step: int, axis: int) -> np.ndarray:
    """Returns the values without the first -step, or the last step, along an axis."""
    some = slice(-step, None) if step < 0 else slice(None, len(np.moveaxis(values, axis, 0)) - step)
    return np.moveaxis(np.moveaxis(values, axis, 0)[some], 0, axis)


def _normal(strip: np.ndarray) -> np.ndarray:
    strip = strip - strip.mean(axis=1, keepdims=True)
    return strip / (strip.std(axis=(1, 2), keepdims=True) + 1e-3)


def _smooth(way: np.ndarray) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(picture, (0, 0), 1.5) for picture in way])


def _sky(pictures: np.ndarray) -> float:
    bright, blue = pictures.mean(), pictures[..., 2].mean() - pictures[..., 0].mean()
    rough = np.abs(np.diff(pictures, axis=1)).mean() + np.abs(np.diff(pictures, axis=2)).mean()
    return float(bright + blue - 4 * rough)


def _flow(way: np.ndarray) -> np.ndarray:
    """Returns (2,): the way in which a piece moves, by the surest of its steps."""
    steps = [shift(a, b) for a, b in pairwise(without_light(way))]
    return np.sum([moved * sure for moved, sure in steps], axis=0)


def _answer(puzzle: _Puzzle, chosen: Sequence[int] | np.ndarray) -> str:
    return ("," if puzzle.turns[0] else "").join(f"{puzzle.piece[i] + 1}{puzzle.turns[i]}" for i in chosen)


RULES = {
    "blind constant": blind,
    "edges": edges,
    "edges, light removed": edges_without_light,
    "edges extended": edges_extended,
    "profiles of edges": stripes,
    "comes and goes": comes_and_goes,
    "colour histogram": colour_histogram,
    "moves together": moves_together,
    "sky above": sky_above,
    "one motion": one_motion,
}
