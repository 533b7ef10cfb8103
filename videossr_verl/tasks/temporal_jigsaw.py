"""Temporal jigsaw: in which order did these clips happen? (VideoSSR, arXiv 2511.06281.)

Game        The clip is cut into n pieces of equal length, which are shown in another order.
Prompt      n videos, one line "Clip i: <video>" each, then the question. Each is a video of its own. All have the
            same clock: from 0, in even steps of the clip's mean interval. Their true times differ a little where the
            source's frames are uneven, which is enough to tell pieces apart without looking.
Label       n digits: the i-th is the shown position of the i-th piece in time (the inverse permutation),
            which is the list of shown clips from the earliest to the latest.
Reward      1 - sum of position errors / the sum for the reversed order (reward_fns.temporal_jigsaw).
Chance      0.35 for a valid guess with n = 6.
Knobs       num_clips: n, 3 to 9 (two clips have one wrong order only); margin: frames left out at both ends of
            each piece, so that pieces do not join seamlessly. A piece shows T // n frames rounded down to even,
            less 2 * margin: 48 frames give 8 for n = 6 and 6 for n = 8 (presets videossr and hard). Frames left
            over at the end of the clip are not shown.

Every order but the right one is equally likely. A clip with two pieces that look the same (still, or the same
scene again) is refused: swapping them would make a second right answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from videossr_verl.sample import CannotDraw, Sample
from videossr_verl.video.sampling import Clip
from videossr_verl.video.visibility import MIN_MOTION, motion, thumbnails

NAME = "temporal_jigsaw"


@dataclass(frozen=True)
class Difficulty:
    """Knobs of the temporal jigsaw; see the module."""

    num_clips: int = 6
    margin: int = 0

    def __post_init__(self) -> None:
        if not 3 <= self.num_clips <= 9:
            raise ValueError(f"num_clips must be 3 to 9, one digit each, got {self.num_clips}")
        if self.margin < 0:
            raise ValueError(f"margin must be 0 or more frames, got {self.margin}")


PRESETS = {"videossr": Difficulty(), "hard": Difficulty(num_clips=8)}


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
) -> Sample:
    """Cut and shuffle.

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: not used.

    Raises:
        CannotDraw: too few frames for the knobs, or two pieces look the same.
    """
    pieces = _cut(len(frames), difficulty)
    _check_pieces_differ(frames, pieces)
    n = difficulty.num_clips
    order = np.arange(n)
    while (order == np.arange(n)).all():
        order = rng.permutation(n)
    clock = _even_clock(clip, pieces[0])
    specs = [clip.spec(NAME, times=clip.times[pieces[i]], clock=clock) for i in order]
    answer = "".join(str(position + 1) for position in np.argsort(order))
    return Sample(NAME, _question(n), tuple(specs), answer, {"shown": (order + 1).tolist()})


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """A copy of the frames (T, H, W, 3): the pieces are shown as they are; `transform` is empty."""
    return frames.copy()


def _cut(num_frames: int, difficulty: Difficulty) -> list[slice]:
    length = num_frames // difficulty.num_clips // 2 * 2
    margin = difficulty.margin
    if length - 2 * margin < 2:
        raise CannotDraw(
            f"{num_frames} frames cut into {difficulty.num_clips} clips with a margin of {margin} "
            "leave fewer than 2 frames for each"
        )
    return [slice(i * length + margin, (i + 1) * length - margin) for i in range(difficulty.num_clips)]


def _even_clock(clip: Clip, piece: slice) -> list[float]:
    """The clock of each piece, since all are as long as this one."""
    interval = clip.clock[-1] / (len(clip.clock) - 1)
    return [i * interval for i in range(piece.stop - piece.start)]


def _check_pieces_differ(frames: np.ndarray, pieces: list[slice]) -> None:
    """Two pieces look the same when no two of their frames in step differ by the threshold of motion."""
    small = thumbnails(frames)
    for (i, a), (j, b) in combinations(enumerate(pieces), 2):
        if motion(small[a], small[b]).max() < MIN_MOTION:
            raise CannotDraw(f"pieces {i + 1} and {j + 1} look the same, so their order cannot be told")


def _question(n: int) -> str:
    videos = "\n".join(f"Clip {i}: <video>" for i in range(1, n + 1))
    example = "".join(map(str, [*range(2, n + 1, 2), *range(1, n + 1, 2)]))
    return (
        f"{videos}\nThese {n} clips were cut from one video and are shown in a wrong order. Put them in the "
        f"order in which they happened. Answer only with the {n} clip numbers from the earliest to the "
        f"latest, without spaces, for example {example}."
    )
