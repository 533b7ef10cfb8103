"""Rules for the spatial jigsaw: neighbours go on in each other, look alike or move alike, and the sky is above."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from videossr_verl.evaluate.attacks.pictures import colours, differences, small, without_light
from videossr_verl.evaluate.attacks.placements import cheapest_placement
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.tasks.frames.grid import SHOWN, cells
from videossr_verl.tasks.frames.turns import TURNS

_GRID = re.compile(r"(\d) rows of (\d)")
_SIDE = 24  # pixels of a piece
_SLIDES = 4  # pixels by which it may have moved along the edge meanwhile
_Apart = Callable[[Sequence[np.ndarray]], np.ndarray]  # m pieces (T, length, depth, C) -> how badly j goes on i, (m, m)
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


def profiles(shown: Shown) -> str:
    """Guesses that the colours along two neighbours' edges, extended in a straight line into the gap, rise and fall
    alike, whatever the light.
    """
    puzzle = _puzzle(shown)
    return _solve(puzzle, puzzle.ways, _profiles_apart)


def profiles_that_slide(shown: Shown) -> str:
    """Answers the same, of edges that may lie at different places of their regions."""
    puzzle = _puzzle(shown)
    return _solve(puzzle, puzzle.ways, partial(_profiles_apart, slides=_SLIDES))


def comes_and_goes(shown: Shown) -> str:
    """Guesses that what leaves a piece comes into its neighbour some frames later, perhaps moved along the edge."""
    puzzle = _puzzle(shown)
    return _solve(puzzle, puzzle.ways, _late_apart)


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
    halves = [np.array_split(way, 2, axis=1) for way in puzzle.ways]
    falls = np.array([_sky(upper) - _sky(lower) for upper, lower in halves])
    place = row[:, None] * above - falls
    nothing = np.zeros((len(above),) * 2)
    return _laid(puzzle, nothing, nothing, place)


def one_motion(shown: Shown) -> str:
    """Guesses that all pieces move the same way, turns them so, and lays them by the profiles of their edges."""
    puzzle = _puzzle(shown)
    flows = np.array([_flow(way) for way in puzzle.ways])
    flows /= np.linalg.norm(flows, axis=1, keepdims=True) + 1e-6
    agree = flows @ flows.T  # [i, j]: how well way j of a piece agrees with the direction of way i
    by_piece = [np.flatnonzero(puzzle.piece == piece) for piece in np.unique(puzzle.piece)]
    tried = [[int(ways[np.argmax(row[ways])]) for ways in by_piece] for row in agree]
    kept = max(tried, key=lambda ways: agree[np.ix_(ways, ways)].sum())
    ways, turns = [puzzle.ways[j] for j in kept], [puzzle.turns[j] for j in kept]
    return _solve(replace(puzzle, ways=ways, piece=puzzle.piece[kept], turns=turns), ways, _profiles_apart)


def _puzzle(shown: Shown) -> _Puzzle:
    rows, columns = map(int, _GRID.findall(shown.question)[0])
    turned = "upside down" in shown.question
    frames = shown.videos[0]
    pieces = [small(piece, _SIDE) for piece in cells(frames, rows, columns, SHOWN, turned)]
    turns = list(TURNS) if turned else [""]
    ways = [TURNS[_BACK[turn]](piece) if turn else piece for piece in pieces for turn in turns]
    return _Puzzle(rows, columns, ways, np.repeat(np.arange(len(pieces)), len(turns)), turns * len(pieces))


def _solve(puzzle: _Puzzle, ways: Sequence[np.ndarray], apart: _Apart) -> str:
    """Lays the pieces so that neighbours are least apart, on the right and below, where rows and columns change
    places.
    """
    return _laid(puzzle, apart(ways), apart([way.swapaxes(1, 2) for way in ways]))


def _laid(puzzle: _Puzzle, right: np.ndarray, below: np.ndarray, place: np.ndarray | None = None) -> str:
    return _answer(puzzle, cheapest_placement(right, below, puzzle.rows, puzzle.columns, puzzle.piece, place))


def _edges_apart(ways: Sequence[np.ndarray]) -> np.ndarray:
    return differences([way[:, :, -1] for way in ways], [way[:, :, 0] for way in ways])


def _profiles_apart(ways: Sequence[np.ndarray], slides: int = 0) -> np.ndarray:
    """Returns (m, m): minus the best correlation of the extended end of i with the extended begin of j, over slides
    along the edge.
    """
    ends, begins = _extended([way[:, :, ::-1] for way in ways]), _extended(ways)
    length, best = ends.shape[2], np.full((len(ways),) * 2, -1.0)
    for slide in range(-slides, slides + 1):
        end = _normal(ends[:, :, max(0, -slide) : length - max(0, slide)])
        begin = _normal(begins[:, :, max(0, slide) : length - max(0, -slide)])
        best = np.maximum(best, np.tensordot(end, begin, axes=([1, 2, 3], [1, 2, 3])))
    return -best


def _extended(ways: Sequence[np.ndarray]) -> np.ndarray:
    """Returns (m, T, length, C): what a straight line through two depths of each piece gives before its begin."""
    return np.stack([1.6 * way[:, :, :2].mean(axis=2) - 0.6 * way[:, :, 6:10].mean(axis=2) for way in ways])


def _late_apart(ways: Sequence[np.ndarray]) -> np.ndarray:
    """Returns (m, m): minus the best correlation of the end of i with the begin of j, over steps of time and slides
    along the edge.
    """
    lags, slides = len(ways[0]) // 2, _SLIDES
    shape = (2 * len(ways[0]), 2 * ways[0].shape[1])  # so that nothing wraps around
    ends, begins = (np.stack([_grey(way[:, :, strip]) for way in ways]) for strip in (slice(-2, None), slice(2)))
    spectrum = np.conj(np.fft.rfft2(ends, shape))[:, None] * np.fft.rfft2(begins, shape)
    found = np.fft.irfft2(spectrum, shape)
    at = np.ix_(range(-lags, lags + 1), range(-slides, slides + 1))
    ones = np.ones(ends.shape[1:])
    shared = np.fft.irfft2(np.abs(np.fft.rfft2(ones, shape)) ** 2, shape)[at]
    return -(found[:, :, *at] / shared).max(axis=(2, 3))


def _grey(strip: np.ndarray) -> np.ndarray:
    """Returns (T, length) of mean 0 and deviation 1 over all."""
    strip = strip.mean(axis=(2, 3))
    return (strip - strip.mean()) / (strip.std() + 1e-3)


def _normal(lines: np.ndarray) -> np.ndarray:
    """Returns lines (m, T, length, C) without the mean of each frame's, and as large as each other over all."""
    lines = lines - lines.mean(axis=2, keepdims=True)
    return lines / (np.sqrt((lines**2).sum(axis=(1, 2, 3), keepdims=True)) + 1e-3)


def _sky(pictures: np.ndarray) -> float:
    bright, blue = pictures.mean(), pictures[..., 2].mean() - pictures[..., 0].mean()
    rough = np.abs(np.diff(pictures, axis=1)).mean() + np.abs(np.diff(pictures, axis=2)).mean()
    return float(bright + blue - 4 * rough)


def _flow(way: np.ndarray) -> np.ndarray:
    """Returns (2,): the pixels by which a piece moves from frame to frame, by least squares over all of it."""
    change, down, across = np.gradient(without_light(way))
    return np.linalg.lstsq(np.stack([across.ravel(), down.ravel()], axis=1), -change.ravel(), rcond=None)[0]


def _answer(puzzle: _Puzzle, chosen: Sequence[int] | np.ndarray) -> str:
    return ("," if puzzle.turns[0] else "").join(f"{puzzle.piece[i] + 1}{puzzle.turns[i]}" for i in chosen)


RULES = {
    "blind constant": blind,
    "edges": edges,
    "edges, light removed": edges_without_light,
    "profiles of edges": profiles,
    "profiles that slide": profiles_that_slide,
    "comes and goes": comes_and_goes,
    "colour histogram": colour_histogram,
    "moves together": moves_together,
    "sky above": sky_above,
    "one motion": one_motion,
}
