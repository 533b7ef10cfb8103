"""Rules for masked video prediction: candidates fill the gap that look alike, or like the frames at its edges."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np

from videossr_verl.evaluate.attacks.paths import cheapest_path
from videossr_verl.evaluate.attacks.pictures import colours, differences, misfit, small, without_light
from videossr_verl.evaluate.attacks.shown import Shown

_Pictures = Sequence[np.ndarray] | np.ndarray
_SCALES = (0.4, 0.5, 0.6, 1.0)  # how much of a frame a candidate may show: these shares, or all of it


@dataclass(frozen=True)
class _Puzzle:
    """Distances between the pictures of a question.

    Attributes:
        count: K, how many candidates fill the gap.
        pool: (P, P) between candidates.
        before, after: (P,) of each candidate from the frame before the gap, and from the one after it.
        elsewhere: (P,) from the most alike of the other frames that are shown.
    """

    count: int
    pool: np.ndarray
    before: np.ndarray
    after: np.ndarray
    elsewhere: np.ndarray


def blind(shown: Shown) -> str:
    """Answers the first labels."""
    return _answer(range(_count(shown)))


def candidates_alone(shown: Shown) -> str:
    """Answers the cheapest path through K candidates."""
    puzzle = _pixels(shown)
    return _answer(cheapest_path(puzzle.pool, puzzle.count))


def tightest_group(shown: Shown) -> str:
    """Answers the candidate whose K - 1 nearest are nearest, and these, by the cheapest path."""
    puzzle = _pixels(shown)
    nearest = np.sort(puzzle.pool, axis=1)[:, : puzzle.count]
    middle = int(np.argmin(nearest.sum(axis=1)))
    return _path(puzzle, np.argsort(puzzle.pool[middle], kind="stable")[: puzzle.count])


def most_distinct(shown: Shown) -> str:
    """Answers the candidates that are least like the others."""
    puzzle = _pixels(shown)
    return _path(puzzle, np.argsort(-puzzle.pool.sum(axis=1), kind="stable")[: puzzle.count])


def chain_with_context(shown: Shown) -> str:
    """Answers the cheapest path from the frame before the gap through K candidates to the frame after it."""
    return _chain(_pixels(shown))


def chain_without_light(shown: Shown) -> str:
    """Answers the same, measured on grey pictures of equal brightness and contrast."""
    return _chain(_puzzle(shown, lambda frames: without_light(small(frames))))


def chain_of_colours(shown: Shown) -> str:
    """Answers the same, measured by colour histograms."""
    return _chain(_puzzle(shown, lambda frames: np.stack([colours(frame[None]) for frame in frames])))


def chain_of_best_fits(shown: Shown) -> str:
    """Answers the same, by how well a candidate's middle fits somewhere into the other picture, moved, shrunk or
    mirrored.
    """
    return _chain(_best_fits(shown))


def nearest_to_edges(shown: Shown) -> str:
    """Answers the candidates most like an edge of the gap; the more like the first edge, the earlier."""
    puzzle = _pixels(shown)
    chosen = np.argsort(np.minimum(puzzle.before, puzzle.after), kind="stable")[: puzzle.count]
    return _answer(sorted(chosen, key=lambda i: puzzle.before[i] - puzzle.after[i]))


def between_edges(shown: Shown) -> str:
    """Answers the candidates with the smallest detour from edge to edge; the more like the first edge, the earlier."""
    puzzle = _pixels(shown)
    chosen = np.argsort(puzzle.before + puzzle.after, kind="stable")[: puzzle.count]
    return _answer(sorted(chosen, key=lambda i: puzzle.before[i] - puzzle.after[i]))


def not_elsewhere(shown: Shown) -> str:
    """Answers the candidates that are more like the gap's edges than like any other frame that is shown."""
    return _rather_at_the_edges(_pixels(shown))


def best_fits_not_elsewhere(shown: Shown) -> str:
    """Answers the same, by how well a candidate's middle fits."""
    return _rather_at_the_edges(_best_fits(shown))


def part_of_the_chain(shown: Shown) -> str:
    """Puts all candidates into one chain, and answers the part of it that joins the edges best."""
    puzzle = _pixels(shown)
    order = cheapest_path(puzzle.pool, len(puzzle.pool))
    parts = [o[i : i + puzzle.count] for o in (order, order[::-1]) for i in range(len(order) - puzzle.count + 1)]
    return _answer(min(parts, key=lambda part: puzzle.before[part[0]] + puzzle.after[part[-1]]))


def brightness(shown: Shown) -> str:
    """Guesses that light changes evenly from edge to edge, and answers for each place the nearest candidate."""
    before, after, pool = _frames(shown)
    count, levels = _count(shown), pool.mean(axis=(1, 2, 3))
    chosen: list[int] = []
    for level in np.linspace(before[-1].mean(), after[0].mean(), count + 2)[1:-1]:
        chosen.append(min((i for i in range(len(levels)) if i not in chosen), key=lambda i: abs(levels[i] - level)))
    return _answer(chosen)


def _count(shown: Shown) -> int:
    return int(re.findall(r"(\d+) frames are missing here", shown.question)[0])


def _frames(shown: Shown) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the frames before the gap, the frames after it, and the candidates, each (T, H, W, 3) uint8."""
    before, after, *singles = shown.videos
    return before, after, np.stack(shown.images or [video[0] for video in singles])


def _puzzle(
    shown: Shown,
    seen: Callable[[np.ndarray], np.ndarray],
    apart: Callable[[_Pictures, _Pictures], np.ndarray] = differences,
) -> _Puzzle:
    before, after, pool = map(seen, _frames(shown))
    others = [*before[:-1], *after[1:]]
    return _Puzzle(
        count=_count(shown),
        pool=apart(pool, pool),
        before=apart(before[-1:], pool)[0],
        after=apart(after[:1], pool)[0],
        elsewhere=apart(others, pool).min(axis=0),
    )


def _pixels(shown: Shown) -> _Puzzle:
    return _puzzle(shown, small)


def _chain(puzzle: _Puzzle) -> str:
    return _answer(cheapest_path(puzzle.pool, puzzle.count, puzzle.before, puzzle.after))


def _best_fits(shown: Shown) -> _Puzzle:
    def apart(a: _Pictures, b: _Pictures) -> np.ndarray:
        return np.array([[misfit(x, y, _SCALES) for y in b] for x in a])

    return _puzzle(shown, lambda frames: without_light(small(frames, width=32)), apart)


def _rather_at_the_edges(puzzle: _Puzzle) -> str:
    value = np.minimum(puzzle.before, puzzle.after) - puzzle.elsewhere
    return _path(puzzle, np.argsort(value, kind="stable")[: puzzle.count])


def _path(puzzle: _Puzzle, chosen: np.ndarray) -> str:
    """Returns the chosen ones in the cheapest order from edge to edge."""
    path = cheapest_path(puzzle.pool[np.ix_(chosen, chosen)], len(chosen), puzzle.before[chosen], puzzle.after[chosen])
    return _answer(chosen[path])


def _answer(order: Iterable[int]) -> str:
    return "".join(ascii_uppercase[i] for i in order)


RULES = {
    "blind constant": blind,
    "candidates alone": candidates_alone,
    "tightest group": tightest_group,
    "most distinct": most_distinct,
    "chain with context": chain_with_context,
    "chain with context, light removed": chain_without_light,
    "chain with context, colours": chain_of_colours,
    "chain of best fits": chain_of_best_fits,
    "nearest to the edges": nearest_to_edges,
    "between the edges": between_edges,
    "not like other frames": not_elsewhere,
    "best fits, not with other frames": best_fits_not_elsewhere,
    "part of the chain of all": part_of_the_chain,
    "even brightness": brightness,
}
