"""A shape hides behind one of k equal squares, which change places in pairs: behind which one is it in the end?"""

from __future__ import annotations

import numpy as np

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.moving_shapes import stands_out
from videossr_verl.tasks.frames.paths import Path, row_of_places, swapped
from videossr_verl.tasks.frames.shapes import SHAPES
from videossr_verl.tasks.motion.difficulty import Difficulty
from videossr_verl.tasks.motion.named_shapes import COLOURS, TRIES, Drawn, draw_distractors, moving_shape, name_of

_REVEAL, _SWAP, _REST = 4, 4, 2  # least frames with the hidden shape, of a swap, and after the last one
_RISE = 1.4  # sides of a square by which it moves up or down to pass others


def draw(frames: np.ndarray, difficulty: Difficulty, rng: np.random.Generator) -> Drawn:
    """Draws the first and the last place of the shape that hides, and swaps that lead from one to the other."""
    count, size = difficulty.num_cups, frames.shape[1:3]
    reveal = max(_REVEAL, len(frames) // 16 * 2)
    length = min(8, (len(frames) - reveal - _REST) // difficulty.num_swaps // 2 * 2)
    if length < _SWAP:
        raise CannotDraw(f"{len(frames)} frames are too few for {difficulty.num_swaps} swaps", "too_few_frames")
    first, answer = (int(place) for place in rng.integers(count, size=2))
    rise = _RISE * difficulty.size * min(size) / size[0]
    for _ in range(TRIES):
        row = row_of_places(count, rng.uniform(0.45, 0.55))
        paths, at = _swaps_to(first, answer, row, difficulty.num_swaps, (reveal, length, rise), rng)
        hider, guest = rng.choice(list(COLOURS), 2, replace=False).tolist()
        cups = [moving_shape((hider, "square"), path, difficulty, len(frames)) | {"angle": 0} for path in paths]
        if not all(stands_out(frames, cup, difficulty.see_through) for cup in cups):
            continue
        look = (guest, str(rng.choice(SHAPES)))
        inside = moving_shape(look, [paths[first][0]], difficulty, reveal) | {"size": round(0.6 * difficulty.size, 3)}
        others = draw_distractors(frames, [(hider, "square"), look], None, difficulty, rng)
        question = (
            f"<video>\nIn the first frames of this video a {name_of(look)} lies on one of {count} equal {hider} "
            "squares that stand in a row. Then it hides behind that square, and squares change places in pairs. Behind "
            f"which square is it in the end? Answer only with its place from the left, a number from 1 to {count}."
        )
        return question, str(at[first] + 1), [*others, *cups, inside], {"first": first + 1}
    raise CannotDraw("no colour of the squares differs from what is behind them", "no_contrast")


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
