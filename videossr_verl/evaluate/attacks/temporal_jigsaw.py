"""Rules for the temporal jigsaw: clips that look alike, at their ends or on the whole, are neighbours.

Likeness alone gives an order or its reverse, for which the reward is 1 or 0. Three things tell the direction: the last
frame of a clip beside the first of the next, light that rises or falls within the clips, and motion that goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from videossr_verl.evaluate.attacks.paths import cheapest_path
from videossr_verl.evaluate.attacks.pictures import colours, differences, misfit, shift, small, without_light
from videossr_verl.evaluate.attacks.shown import Shown

_TOLD = 2e-3  # seconds; smaller differences are rounding, since clocks are told in milliseconds
_SCALES = (0.6, 1.0)  # how much of a clip another one shows: each shows a part of 0.6, or the two show as much
_CLOSE = 40  # two descriptors of one corner differ by at most so many of 256 bits


def blind(shown: Shown) -> str:
    """Answers the reversed order."""
    return _answer(range(len(shown.videos))[::-1])


def clocks(shown: Shown) -> str:
    """Answers the order in which even times, rounded to the source's frames, give each clip the times that it has."""
    steps = np.concatenate([np.diff(clock) for clock in shown.clocks])
    if np.ptp(steps) < _TOLD:  # no rounding shows
        return blind(shown)
    frame = steps.sum() / np.round(steps / np.ptp(steps)).sum()
    clips = [np.round(clock / frame) for clock in shown.clocks]
    length = max(map(len, clips))

    def off(step: float) -> np.ndarray:
        """Returns (n, n): by how many frames each clip's times miss each place's, if frames are `step` source frames
        apart.
        """
        times = np.round(np.arange(length * len(clips)) * step)
        starts = range(0, len(times), length)
        return np.array([[np.abs(times[s : s + len(c)] - times[s] - c).sum() for c in clips] for s in starts])

    near = sorted(np.linspace(-0.04, 0.04, 81), key=abs)  # because the mean step is close to the true one
    tried = [off(steps.mean() / frame + error) for error in near]
    solved = [(cost, linear_sum_assignment(cost)) for cost in tried]
    _, best = min(solved, key=lambda one: one[0][one[1]].sum())
    return _answer(best[1])


def last_to_first(shown: Shown) -> str:
    """Guesses that each clip's last frame is like the first of the next."""
    return _chain(_ends_apart([small(v) for v in shown.videos]))


def last_to_first_without_light(shown: Shown) -> str:
    """Answers the same, measured on grey pictures of equal brightness and contrast."""
    return _chain(_ends_apart([without_light(small(v)) for v in shown.videos]))


def nearest_frames(shown: Shown) -> str:
    """Guesses that of two neighbours one frame of each is alike, and takes the direction from their ends."""
    clips = [small(v) for v in shown.videos]
    return _directed(np.array([[differences(a, b).min() for b in clips] for a in clips]), _ends_apart(clips))


def mean_picture(shown: Shown) -> str:
    """Guesses that neighbours are alike on the whole, and takes the direction from their ends."""
    clips = [small(v) for v in shown.videos]
    means = [clip.mean(axis=0) for clip in clips]
    return _directed(differences(means, means), _ends_apart(clips))


def colour_histogram(shown: Shown) -> str:
    """Guesses that neighbours have the same colours, wherever they are, and takes the direction from the colours of the
    ends.
    """
    whole = [colours(v) for v in shown.videos]
    last, first = ([colours(v[at : at + 1 or None]) for v in shown.videos] for at in (-1, 0))
    return _directed(differences(whole, whole), differences(last, first))


def brightness_drift(shown: Shown) -> str:
    """Guesses that light rises throughout, or falls, as it does within most clips."""
    levels = [v.mean(axis=(1, 2, 3)) for v in shown.videos]
    order = np.argsort([level.mean() for level in levels], kind="stable")
    rises = np.median([level[-1] - level[0] for level in levels]) >= 0
    return _answer(order if rises else order[::-1])


def motion_goes_on(shown: Shown) -> str:
    """Guesses that neighbours match after a shift, which goes the way in which both move."""
    clips = [without_light(small(v)) for v in shown.videos]
    moves = [sum(shift(a, b)[0] for a, b in pairwise(clip)) for clip in clips]

    def cost(i: int, j: int) -> float:
        moved, sure = shift(clips[i][-1], clips[j][0])
        way = moves[i] + moves[j]
        return 1 - sure - 0.3 * float(moved @ way) / float(np.linalg.norm(moved) * np.linalg.norm(way) + 1e-6)

    return _chain(_pairs(cost, len(clips)))


def best_fit(shown: Shown) -> str:
    """Guesses that a clip's last frame fits somewhere into the first of the next, moved, shrunk or mirrored, whatever
    the light.
    """
    clips = [without_light(small(v[[0, -1]], width=32)) for v in shown.videos]
    cost = _pairs(lambda i, j: misfit(clips[i][1], clips[j][0], _SCALES), len(clips))
    return _directed(cost + cost.T, cost)


def shared_corners(shown: Shown) -> str:
    """Guesses that a clip's last frame has the most corners in common with the first of the next, also if it is
    mirrored.
    """
    orb = cv2.ORB.create(200, fastThreshold=5, edgeThreshold=8, patchSize=16)
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)

    def describe(frame: np.ndarray) -> np.ndarray | None:
        return orb.detectAndCompute(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY), None)[1]

    last = [describe(v[-1]) for v in shown.videos]
    first = [[describe(picture) for picture in (v[0], v[0][:, ::-1])] for v in shown.videos]

    def cost(i: int, j: int) -> float:
        a = last[i]
        seen = [matcher.match(a, b) for b in first[j] if a is not None and b is not None]
        return -max((sum(match.distance < _CLOSE for match in matches) for matches in seen), default=0)

    return _chain(_pairs(cost, len(last)))


def _ends_apart(clips: list[np.ndarray]) -> np.ndarray:
    """Returns (n, n): how much the last picture of clip i differs from the first of clip j."""
    return differences([clip[-1] for clip in clips], [clip[0] for clip in clips])


def _pairs(cost: Callable[[int, int], float], n: int) -> np.ndarray:
    return np.array([[cost(i, j) if i != j else 0.0 for j in range(n)] for i in range(n)])


def _chain(cost: np.ndarray) -> str:
    return _answer(cheapest_path(cost, len(cost)))


def _directed(cost: np.ndarray, ends: np.ndarray) -> str:
    """Returns the cheapest order or its reverse, whichever joins the ends better."""
    order = np.array(cheapest_path(cost, len(cost)))
    forth, back = (ends[o[:-1], o[1:]].sum() for o in (order, order[::-1]))
    return _answer(order if forth <= back else order[::-1])


def _answer(order: Iterable[int]) -> str:
    return "".join(str(i + 1) for i in order)


RULES = {
    "blind constant": blind,
    "clocks alone": clocks,
    "last frame to first": last_to_first,
    "last frame to first, light removed": last_to_first_without_light,
    "nearest frames": nearest_frames,
    "mean picture": mean_picture,
    "colour histogram": colour_histogram,
    "brightness drift": brightness_drift,
    "motion goes on": motion_goes_on,
    "best fit of a part": best_fit,
    "shared corners": shared_corners,
}
