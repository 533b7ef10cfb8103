"""Rules for the arrow of time: traces of light and codecs, and simple laws of motion.

Each compares the two clips of a pair by one measure that may have a direction. No measure is known to rise or fall in
every video, so each is a rule twice, once for either way: what one earns above 0.5, the other earns below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise

import cv2
import numpy as np

from videossr_verl.evaluate.attacks.pictures import shift, small, without_light
from videossr_verl.evaluate.attacks.shown import Shown

Measure = Callable[[np.ndarray], float]


def blind(shown: Shown) -> str:
    """Answers the first clip of each pair."""
    return _answer([False] * (len(shown.videos) // 2))


def one_way(shown: Shown) -> str:
    """Guesses that all pieces move the same way in the picture, so that the pairs stand or fall together."""
    pieces = [without_light(small(video)) for video in shown.videos[::2]]
    moves = [np.sum([shift(a, b)[0] for a, b in pairwise(piece)], axis=0) for piece in pieces]
    return _answer(float(move @ moves[0]) < 0 for move in moves)


def by_measure(shown: Shown, measure: Measure, sign: int) -> str:
    """Guesses that of each pair the clip with the larger `sign` * `measure` runs forwards."""
    first, second = ([sign * measure(video) for video in shown.videos[i::2]] for i in (0, 1))
    return _answer(a > b for a, b in zip(first, second, strict=True))


def _light(frames: np.ndarray) -> float:
    return _trend(frames.mean(axis=(1, 2, 3)))


def _contrast(frames: np.ndarray) -> float:
    return _trend(frames.std(axis=(1, 2, 3)))


def _grey_levels(frames: np.ndarray) -> float:
    """Measures how many levels a frame has: fewer where its light was changed the most."""
    return _trend(np.array([sum(len(np.unique(frame[..., c])) for c in range(3)) for frame in frames]))


def _detail(frames: np.ndarray) -> float:
    """Measures sharpness, which the frames of a codec lose that are predicted from each other."""
    return _trend(_sharpness(frames))


def _key_frame(frames: np.ndarray) -> float:
    """Measures whether the largest step of sharpness is one up, as at a codec's key frame."""
    steps = np.diff(_sharpness(frames))
    return float(steps.max() + steps.min())


def _grain(frames: np.ndarray) -> float:
    """Measures the finest detail, which a codec's prediction smears first."""
    blurred = np.stack([cv2.GaussianBlur(np.ascontiguousarray(frame), (3, 3), 0) for frame in frames])
    return _trend(np.abs(frames.astype(np.int16) - blurred).mean(axis=(1, 2, 3)))


def _speed(frames: np.ndarray) -> float:
    """Measures how much moves: friction takes from it, a fall adds to it."""
    return _trend(_moved(frames).mean(axis=(1, 2)))


def _area(frames: np.ndarray) -> float:
    """Measures over how much of the picture motion is spread: what bursts or flows goes apart."""
    moved = _moved(frames)
    return _trend((moved > moved.mean(axis=(1, 2), keepdims=True)).mean(axis=(1, 2)))


def _height(frames: np.ndarray) -> float:
    """Measures how low in the picture something moves: things fall."""
    moved = _moved(frames).sum(axis=2)
    return _trend((moved @ np.arange(moved.shape[1])) / (moved.sum(axis=1) + 1e-6))


def _variety(frames: np.ndarray) -> float:
    """Measures how much small structure a picture has: what mixes or breaks has ever more of it."""
    return _trend(np.array([np.abs(np.diff(picture, axis=1)).mean() for picture in small(frames, 16)]))


def _sharpness(frames: np.ndarray) -> np.ndarray:
    grey = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in frames]
    return np.log1p([cv2.Laplacian(picture, cv2.CV_32F).var() for picture in grey])


def _moved(frames: np.ndarray) -> np.ndarray:
    """Returns (T - 1, h, w): how much each place changes from frame to frame."""
    return np.abs(np.diff(small(frames), axis=0)).mean(axis=-1)


def _trend(values: np.ndarray) -> float:
    """Returns the slope of values over time."""
    time = np.arange(len(values)) - (len(values) - 1) / 2
    return float(time @ values)


def _answer(second_is_backward: Iterable[bool]) -> str:
    return ",".join(str(2 * pair + 1 + second) for pair, second in enumerate(second_is_backward))


# The measure, what is guessed of it in forward clips, and the opposite.
_MEASURES: tuple[tuple[Measure, str, str], ...] = (
    (_light, "gets lighter", "gets darker"),
    (_contrast, "contrast rises", "contrast falls"),
    (_grey_levels, "more grey levels", "fewer grey levels"),
    (_detail, "gets sharper", "gets softer"),
    (_key_frame, "sharper at once", "softer at once"),
    (_grain, "more grain", "less grain"),
    (_speed, "speeds up", "comes to rest"),
    (_area, "motion spreads", "motion gathers"),
    (_height, "motion falls", "motion rises"),
    (_variety, "more structure", "less structure"),
)

RULES = {
    "blind constant": blind,
    "all move one way": one_way,
    **{
        name: partial(by_measure, measure=measure, sign=sign)
        for measure, up, down in _MEASURES
        for name, sign in ((up, 1), (down, -1))
    },
}
