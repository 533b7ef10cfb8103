"""Rules for snippet localisation: a segment of the video is like the snippet, frame by frame in step.

A rule gives (S, T) likenesses of S frames of the snippet to T of the video. Whatever the speed, the snippet runs evenly
through its segment, so the answer is the segment along which the frames are most alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np

from videossr_verl.evaluate.attacks.pictures import colours, small, without_light
from videossr_verl.evaluate.attacks.segments import answer, segments
from videossr_verl.evaluate.attacks.shown import Shown

_SCALES = (0.4, 0.5, 0.6, 0.7, 0.85, 1.0)  # the snippet's picture in the video's
_TILTS = (-20, -10, 0, 10, 20)  # degrees
_RATIO = 0.8  # a key point's best match is nearer by this than the second best


def blind(shown: Shown) -> str:
    """Answers the interval that earns most with the default knobs."""
    frames = len(shown.videos[0])
    return answer(shown.clocks[0], round(0.2 * frames), round(0.75 * frames))


def template(shown: Shown, seen: Callable[[np.ndarray], np.ndarray]) -> str:
    """Answers where the middle of the snippet's picture fits best, at one place of the video's picture, in one size and
    turned one way, as `seen` shows both.
    """
    video, snippet = (seen(frames) for frames in shown.videos)
    best = max((_along(_fits(video, part)) for part in _parts(snippet)), key=lambda found: found[0])
    return answer(shown.clocks[0], *best[1])


def colour_histogram(shown: Shown) -> str:
    """Guesses that the colours are the same, each brought to the same mean and spread."""
    video, snippet = (np.stack([colours(_even(frame)[None]) for frame in frames]) for frames in shown.videos)
    return _better(shown, [snippet @ video.T])


def edge_directions(shown: Shown) -> str:
    """Guesses that edges have the same directions, also if the snippet is mirrored."""
    video, *snippets = (
        np.stack([_directions(frame) for frame in frames])
        for frames in (shown.videos[0], shown.videos[1], shown.videos[1][:, :, ::-1])
    )
    return _better(shown, [snippet @ video.T for snippet in snippets])


def key_points(shown: Shown) -> str:
    """Answers where the most key points (SIFT) have a match, also if the snippet is mirrored."""
    sift, matcher = cv2.SIFT.create(200), cv2.BFMatcher()

    def describe(frame: np.ndarray) -> np.ndarray | None:
        return sift.detectAndCompute(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY), None)[1]

    def matches(a: np.ndarray | None, b: np.ndarray | None) -> float:
        if a is None or b is None or len(b) < 2:
            return 0.0
        return float(sum(one.distance < _RATIO * two.distance for one, two in matcher.knnMatch(a, b, k=2)))

    video, plain, mirrored = (
        [describe(frame) for frame in frames]
        for frames in (shown.videos[0], shown.videos[1], shown.videos[1][:, :, ::-1])
    )
    return _better(
        shown, [np.array([[matches(a, b) for b in video] for a in snippet]) for snippet in (plain, mirrored)]
    )


def curve(shown: Shown, trace: Callable[[np.ndarray], np.ndarray]) -> str:
    """Answers where `trace` of the video, a number a frame, goes as that of the snippet does."""
    video, snippet = (trace(small(frames)) for frames in shown.videos)

    def alike(segment: tuple[int, int]) -> float:
        there = np.interp(_steps(*segment, len(snippet)), np.arange(len(video)), video)
        return float(np.corrcoef(there, snippet)[0, 1]) if np.ptp(there) > 0 and np.ptp(snippet) > 0 else -1.0

    return answer(shown.clocks[0], *max(_segments(len(video)), key=alike))


def _light(pictures: np.ndarray) -> np.ndarray:
    return pictures.mean(axis=(1, 2, 3))


def _motion(pictures: np.ndarray) -> np.ndarray:
    moved = np.abs(np.diff(without_light(pictures), axis=0)).mean(axis=(1, 2))
    return np.append(moved, moved[-1])


def _grey(frames: np.ndarray) -> np.ndarray:
    return without_light(small(frames, width=32))


def _edges(frames: np.ndarray) -> np.ndarray:
    """Returns (T, h, w): how steep the steepest colour is."""
    pictures = small(frames, width=40)
    steep = [np.hypot(cv2.Sobel(p, cv2.CV_32F, 1, 0), cv2.Sobel(p, cv2.CV_32F, 0, 1)).max(axis=-1) for p in pictures]
    return np.stack(steep)


def _even(frame: np.ndarray) -> np.ndarray:
    """Returns a frame (H, W, 3) whose colours have mean 128 and spread 48."""
    mean, spread = frame.mean(axis=(0, 1)), frame.std(axis=(0, 1))
    return ((frame - mean) / (spread + 1e-3) * 48 + 128).clip(0, 255).astype(np.uint8)


def _directions(frame: np.ndarray) -> np.ndarray:
    """Returns (36,): roots of the shares of a frame's edges that run in each of 36 directions of half a turn."""
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    bins = (np.mod(np.arctan2(down, across), np.pi) / np.pi * 36).astype(int).clip(0, 35)
    shares = np.bincount(bins.ravel(), np.hypot(across, down).ravel(), 36)
    return np.sqrt(shares / (shares.sum() + 1e-6))


def _parts(snippet: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the middles of pictures (S, h, w), S x smaller, in all sizes, turned and mirrored."""
    height, width = snippet.shape[1:]
    for tilt in _TILTS:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1)
        turned = [cv2.warpAffine(p, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101) for p in snippet]
        middles = np.stack(turned)[:, height // 6 : height - height // 6, width // 6 : width - width // 6]
        for scale in _SCALES:
            size = [max(3, round(side * scale)) for side in middles.shape[:0:-1]]
            scaled = np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in middles])
            yield scaled
            yield np.ascontiguousarray(scaled[:, :, ::-1])


def _fits(video: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Returns (places, S, T): how well each of S parts (S, h, w) fits at each place into each of T pictures (T, H, W),
    -1 to 1.
    """
    count, height, width = video.shape
    rows, columns = height - parts.shape[1] + 1, width - parts.shape[2] + 1
    side_by_side = np.ascontiguousarray(video.transpose(1, 0, 2).reshape(height, -1))
    starts = np.arange(count)[:, None] * width + np.arange(columns)  # a part that lies across two pictures is left out
    maps = [cv2.matchTemplate(side_by_side, part, cv2.TM_CCOEFF_NORMED)[:, starts] for part in parts]
    return np.stack(maps).transpose(1, 3, 0, 2).reshape(rows * columns, len(parts), count)


def _along(alike: np.ndarray) -> tuple[float, tuple[int, int]]:
    """Returns the segment along which (places, S, T) likenesses are largest, at the best place, and their mean."""
    count, frames = alike.shape[1:]
    found = _segments(frames)
    steps = np.array([_steps(*segment, count) for segment in found])
    low, i = np.floor(steps).astype(int), np.arange(count)
    share = steps - low
    there = (1 - share) * alike[:, i, low] + share * alike[:, i, low + 1]
    means = there.mean(axis=-1).max(axis=0)
    return float(means.max()), found[int(means.argmax())]


def _better(shown: Shown, ways: list[np.ndarray]) -> str:
    """Answers the best segment of (S, T) likenesses, of the way that gives the largest."""
    best = max((_along(way[None]) for way in ways), key=lambda found: found[0])
    return answer(shown.clocks[0], *best[1])


def _segments(frames: int) -> list[tuple[int, int]]:
    """Returns the segments that are a tenth to three eighths of the video long."""
    return segments(frames - 1, frames // 10, frames * 3 // 8)


def _steps(start: int, stop: int, count: int) -> np.ndarray:
    """Returns the places of a snippet's frames between those of the video, in frames."""
    return np.linspace(start + 0.5, stop - 0.5, count)


RULES = {
    "blind constant": blind,
    "template": partial(template, seen=_grey),
    "template of edges": partial(template, seen=_edges),
    "colour histogram": colour_histogram,
    "edge directions": edge_directions,
    "key points": key_points,
    "light over time": partial(curve, trace=_light),
    "motion over time": partial(curve, trace=_motion),
}
