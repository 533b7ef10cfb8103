"""Rules for motion primitives. One frame says nothing of them; a colour that is followed from frame to frame does.

The strongest rule sums, for each motion that is possible, how much of the named colour lies on its path: a matched
filter, to which a program needs nothing but the laws of the motion.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import cv2
import numpy as np

from reward_fns.directions import DIRECTIONS
from videossr_verl.evaluate.attacks.pictures import shift, small, without_light
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.tasks.frames.paths import step
from videossr_verl.tasks.frames.shapes import SHAPES
from videossr_verl.tasks.motion.named_shapes import COLOURS

_WIDTH = 32
_NAME = re.compile(rf"({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})s?")
_BLUR = 0.05  # share of the width: about the radius of a shape
_BEGIN = 4  # the frame from which nothing lies on the squares, and before which none moves
_LENGTHS = np.geomspace(0.02, 0.1, 6)  # steps that are tried, short sides a frame


def blind(shown: Shown) -> str:
    """Answers the same always: up, 1, the middle one, or the order of the question."""
    if "direction" in shown.question:
        return "up"
    return "2" if "squares change places" in shown.question else "123456789"[: _count(shown)] if _order(shown) else "1"


def first_frame(shown: Shown) -> str:
    """Guesses from the first frame that shapes move inwards, that the outer one is faster and that the left one is
    first; a hidden thing stays where it was.
    """
    return _from_places(shown, 0, -1)


def last_frame(shown: Shown) -> str:
    """Guesses from the last frame that shapes moved outwards, that the outer one is faster and the left one first."""
    return _from_places(shown, -1, 1)


def frame_differences(shown: Shown) -> str:
    """Guesses that the whole picture moves as the named shape does; answers only directions."""
    if "direction" not in shown.question:
        return blind(shown)
    grey = without_light(small(shown.videos[0], _WIDTH))
    return _direction(np.median([shift(a, b)[0] for a, b in pairwise(grey)], axis=0))


def colour_followed(shown: Shown) -> str:
    """Follows the spot that is most like the named colour; of squares it sees which places in the row are empty."""
    if _hidden(shown):
        return _empty_places(shown)
    tracks = [_track(like) for like in _named_likeness(shown)]
    steps = [_wrapped(np.diff(track, axis=0), _size(shown)) for track in tracks]
    if "direction" in shown.question:
        return _direction(np.median(steps[0], axis=0))
    speeds = [np.linalg.norm(s, axis=1) for s in steps]
    if _order(shown):
        return _digits(np.argsort([_break(one) for one in (steps if "turns" in shown.question else speeds)]))
    return str(int(np.argmax([np.median(speed) for speed in speeds])) + 1)


def best_motion(shown: Shown) -> str:
    """Answers by the motions on whose paths most of the named colours lie; of squares as `colour_followed`."""
    if _hidden(shown):
        return _empty_places(shown)
    fits = [max(_fits(like, shown.question)) for like in _named_likeness(shown)]
    if _order(shown):
        return _digits(np.argsort([fit[3] for fit in fits]))
    if "direction" in shown.question:
        return _direction(step(fits[0][1], 1, (1, 1)))
    return str(int(np.argmax([fit[2] for fit in fits])) + 1)


def _fits(like: np.ndarray, question: str) -> Iterator[tuple[float, float, float, int]]:
    """Yields (how much of the likeness lies on the best path, angle, length, frame of the event) of each motion."""
    num_frames, height, width = like.shape
    events = range(3, num_frames - 2, 2) if _asks_order(question) else [num_frames - 1]
    static = np.cumsum(like, axis=0)
    for angle in range(0, 360, 45 if "direction" in question else 30):
        for length in _LENGTHS:
            move = step(angle, length, (height, width)) * (width, height)
            ahead = np.cumsum(_aligned(like, move), axis=0)
            back = np.cumsum(_aligned(like, -move), axis=0) if "turns" in question else ahead
            for e in events:
                if "starts" in question:
                    total = static[e] + _moved(ahead[-1] - ahead[e], e * move)
                elif "turns" in question:
                    total = ahead[e] + _moved(back[-1] - back[e], -2 * e * move)
                else:
                    total = ahead[e] + _moved(static[-1] - static[e], -e * move)
                yield float(total.max()), float(angle), float(length), e


def _aligned(like: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Returns (T, h, w): each picture moved back by as many steps as lead to it: what goes along stands still."""
    num_frames, height, width = like.shape
    x, y = np.round(np.outer(move, np.arange(num_frames))).astype(int)
    rows = (np.arange(height) + y[:, None]) % height
    columns = (np.arange(width) + x[:, None]) % width
    return like[np.arange(num_frames)[:, None, None], rows[:, :, None], columns[:, None, :]]


def _moved(picture: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    x, y = np.round(pixels).astype(int)
    return np.roll(picture, (y, x), axis=(0, 1))


def _named_likeness(shown: Shown) -> list[np.ndarray]:
    return [_likeness(shown.videos[0], colour) for colour, _ in _NAME.findall(shown.question)]


def _likeness(frames: np.ndarray, colour: str) -> np.ndarray:
    """Returns (T, h, w): how like the colour each place is, beyond what is always there."""
    pictures = small(frames, _WIDTH)
    wanted = np.array(COLOURS[colour], np.float32)
    light = 1 - np.abs(pictures.mean(axis=-1) - wanted.mean()) / 255
    hue = 1 - np.abs(_chroma(pictures) - _chroma(wanted)).sum(axis=-1)
    near = (hue + light if colour not in ("white", "black") else 2 * light).astype(np.float32)
    near = np.maximum(near - np.median(near, axis=0), 0)
    # Blurred on the torus.
    edge = _WIDTH // 4
    padded = [np.pad(one, edge, mode="wrap") for one in near]
    return np.stack([cv2.GaussianBlur(one, (0, 0), _BLUR * _WIDTH)[edge:-edge, edge:-edge] for one in padded])


def _chroma(colours: np.ndarray) -> np.ndarray:
    return colours / (colours.sum(axis=-1, keepdims=True) + 30)


def _track(like: np.ndarray) -> np.ndarray:
    """Returns (T, 2): x and y of the place that is most alike in each frame."""
    rows, columns = np.divmod(like.reshape(len(like), -1).argmax(axis=1), like.shape[2])
    return np.stack([columns, rows], axis=1).astype(float)


def _break(values: np.ndarray) -> int:
    """Returns where the values change most: the border of the two parts that fit best to their medians."""
    values = values.reshape(len(values), -1)

    def misfit(border: int) -> float:
        parts = values[:border], values[border:]
        return sum(float(np.abs(part - np.median(part, axis=0)).sum()) for part in parts)

    return min(range(1, len(values)), key=misfit)


def _empty_places(shown: Shown) -> str:
    """Guesses that the two places in a row that are empty at once, between two moments without any, change over."""
    like, guest = _cup_likeness(shown)
    count, width = _count(shown), like.shape[2]
    columns = ((np.arange(count) + 0.5) / count * width).astype(int)
    full = like[:, int(like[:_BEGIN, :, columns].mean(axis=(0, 2)).argmax()), :][:, columns]
    full = full / (full[:_BEGIN].mean(axis=0) + 1e-6)
    at = int(np.argmin(np.abs(columns - guest[0])))
    least = full.min(axis=1)
    peaks = [i for i in range(1, len(full) - 1) if least[i] >= least[i - 1 : i + 2].max()]
    moments = [0, *peaks, len(full) - 1]
    for begin, end in pairwise(moments):
        if end - begin < 3 or full[begin + 1 : end].min() > 0.6:
            continue
        pair = np.argsort(full[begin + 1 : end].mean(axis=0))[:2].tolist()
        at = sum(pair) - at if at in pair else at
    return str(at + 1)


def _cup_likeness(shown: Shown) -> tuple[np.ndarray, np.ndarray]:
    """Returns (T, h, w) of the squares' colour, always there or not, and the (x, y) of the thing that hides."""
    ((guest, _),) = _NAME.findall(shown.question)[:1]
    hider = re.search(rf"equal ({'|'.join(COLOURS)}) squares", shown.question)
    assert hider
    frames = shown.videos[0]
    # A picture of another colour in front stands for what is always there.
    like = _likeness(np.concatenate([frames, 255 - frames, 255 - frames]), hider[1])[: len(frames)]
    return like, _track(_likeness(frames, guest)[:1])[0]


def _from_places(shown: Shown, frame: int, side: int) -> str:
    if _hidden(shown):
        _, guest = _cup_likeness(shown)
        return str(int(guest[0] * _count(shown) / _WIDTH) + 1) if frame == 0 else blind(shown)
    away = [_track(like)[frame] - np.array(_size(shown)) / 2 for like in _named_likeness(shown)]
    if "direction" in shown.question:
        return _direction(side * away[0])
    if _order(shown):
        return _digits(np.argsort([place[0] for place in away], kind="stable"))
    return str(int(np.argmax([np.linalg.norm(place) for place in away])) + 1)


def _size(shown: Shown) -> tuple[int, int]:
    """Returns (w, h) of the small pictures."""
    return small(shown.videos[0][:1], _WIDTH).shape[2:0:-1]


def _wrapped(steps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    half = np.array(size) / 2
    return (steps + half) % np.array(size) - half


def _direction(move: np.ndarray) -> str:
    angle = math.degrees(math.atan2(move[0], -move[1]))
    return DIRECTIONS[round(angle / 45) % len(DIRECTIONS)]


def _hidden(shown: Shown) -> bool:
    return "squares change places" in shown.question


def _order(shown: Shown) -> bool:
    return _asks_order(shown.question)


def _asks_order(question: str) -> bool:
    return "In which order" in question


def _count(shown: Shown) -> int:
    """Returns how many squares, or named shapes, there are."""
    found = re.search(r"one of (\d) equal|only with the (\d) numbers", shown.question)
    return int(found[1] or found[2]) if found else 2


def _digits(order: Iterable[int]) -> str:
    return "".join(str(int(i) + 1) for i in order)


RULES: dict[str, Callable[[Shown], str]] = {
    "blind constant": blind,
    "place in the first frame": first_frame,
    "place in the last frame": last_frame,
    "frame differences": frame_differences,
    "colour followed": colour_followed,
    "best motion": best_motion,
}
