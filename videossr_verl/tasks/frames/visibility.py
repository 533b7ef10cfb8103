"""Whether a change can be seen. It is measured on the frames themselves, before and after, so that no label is a lie.

Both measures give the mean absolute difference, in [0, 1], over the tenth of the picture that differs most,
because a small moving object is as good an answer as a moving camera. The picture is cut into 16 x 16 cells.

    change  cell = mean of the absolute pixel differences: sees blur and noise
    motion  cell = absolute difference of the cell means: does not see camera noise

Numbers behind the thresholds, at 256 x 256 pixels, four real clips (cartoon, sports, two of a talking head),
and their first frame as a still with camera noise of 0 to 6 grey levels, encoded by x264 at crf 18 and 28:

    motion  stills: below 0.006; neighbours among 48 frames of 4 to 10 s: at least 0.007, median 0.03 to 0.24
    change  stills: at most 0.014; weakest changes of the real clips: saturation 0.02 to 0.12, blur 0.01 to
            0.06 (0.01 in frames that motion blurred already), grayscale 0.02 to 0.18, channel swap 0.05 to
            0.3; all others 0.17 to 0.95
"""

from __future__ import annotations

import cv2
import numpy as np

from videossr_verl.tasks.frames.perturbations import PERTURBATIONS, Params, frames_shown

MIN_CHANGE = 0.03
MIN_MOTION = 0.006

_GRID = 16
_MOST = _GRID * _GRID // 10


def visibility(before: np.ndarray, after: np.ndarray) -> float:
    """Returns the mean of `changes` over a segment. Both arrays are (T, H, W, 3) uint8."""
    return float(changes(before, after).mean())


def changes(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Returns (T,): the change of each frame, in [0, 1]. Both arrays are (T, H, W, 3) uint8."""
    pairs = zip(np.ascontiguousarray(before), np.ascontiguousarray(after), strict=True)
    return _most(np.stack([_cells(cv2.absdiff(a, b)) for a, b in pairs]))


def thumbnails(frames: np.ndarray) -> np.ndarray:
    """Returns (T, 16, 16, 3) float32 cell means of frames (T, H, W, 3) uint8."""
    return np.stack([_cells(frame) for frame in frames])


def motion(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns (T,): the motion between thumbnails `a` and `b`, frame by frame, in [0, 1]. One of them may be a single
    frame.
    """
    return _most(np.abs(a - b))


def is_visible(name: str, params: Params, before: np.ndarray, after: np.ndarray) -> bool:
    """Returns whether the change called `name` shows in every frame of a segment where it must.

    A change of the picture must show in every frame. Shuffle and stutter_hold must show in every frame in whose place
    they show another one, which includes the frames at both borders. This cannot judge slow, fast and swap, which need
    other frames.
    """
    if PERTURBATIONS[name].family != "temporal":
        return bool((changes(before, after) >= MIN_CHANGE).all())
    moved = frames_shown(name, params, len(before)) != np.arange(len(before))
    return bool((motion(thumbnails(before[moved]), thumbnails(after[moved])) >= MIN_MOTION).all())


def _cells(picture: np.ndarray) -> np.ndarray:
    picture = np.ascontiguousarray(picture, dtype=np.float32)
    return cv2.resize(picture, (_GRID, _GRID), interpolation=cv2.INTER_AREA)


def _most(cells: np.ndarray) -> np.ndarray:
    """Returns (T, 16, 16, 3) differences -> (T,) means of the largest tenth, in [0, 1]."""
    red, green, blue = np.moveaxis(cells, -1, 0)  # ten times as fast as a mean over the last axis
    values = ((red + green + blue) / 3).reshape(len(cells), -1)
    return np.partition(values, -_MOST, axis=1)[:, -_MOST:].mean(axis=1, dtype=np.float64) / 255
