"""Temporal jigsaw: in which order did these clips happen? (VideoSSR, arXiv 2511.06281.)

Game        The clip is cut into n pieces of equal length, which are shown in another order.
Prompt      n videos, one line "Clip i: <video>" each, then the question. Each is a video of its own. All have the
            same clock: from 0, in even steps of the clip's mean interval. If the source's frames are uneven, the true
            times would differ a little, which is enough to tell pieces apart without looking.
Label       n digits: the i-th is the shown position of the i-th piece in time (the inverse permutation),
            which is the list of shown clips from the earliest to the latest.
Reward      1 - sum of position errors / the sum for the reversed order (reward_fns.temporal_jigsaw).
Chance      0.35 for a valid guess with n = 6.
Knobs       num_clips: n, 3 to 9 (two clips have one wrong order only); margin: share of a piece that is left out at
            each of its ends, so that pieces do not join seamlessly; view: share of width and height that a piece shows.
            A piece has T // n frames rounded down to even: 48 frames give 8 for n = 6 (preset videossr) and 6 for
            n = 8, of which the preset hard shows the 2 in the middle. Frames left over at the end are not shown.

Every order but the right one is equally likely. A clip with two pieces that look the same (still, or the same
scene again) is refused: swapping them would make a second right answer.

In the paper's setting a rule without learning orders clips of a few seconds: the last frame of a piece is nearly the
first of the next (`videossr attack` tells what each rule earns). A margin alone does not help if a scene changes
slowly, since likeness still falls with time. So in the preset hard each piece is seen through a view of its own
(`frames.views`): a part of the picture, mirrored or not, all pieces in the same light. A clip is refused if a piece
does not differ from the others within its view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.contract import CannotDraw, Sample
from videossr_verl.tasks.frames.views import draw_view, light_of, through
from videossr_verl.tasks.frames.visibility import MIN_MOTION, motion, thumbnails

NAME = "temporal_jigsaw"


@dataclass(frozen=True)
class Difficulty:
    """Knobs of the temporal jigsaw; see the module."""

    num_clips: int = 6
    margin: float = 0.0
    view: float = 1.0

    def __post_init__(self) -> None:
        if not 3 <= self.num_clips <= 9:
            raise ValueError(f"num_clips must be 3 to 9, one digit each, got {self.num_clips}")
        if not 0 <= self.margin < 0.5:
            raise ValueError(f"margin must be from 0 to below 0.5 (the share cut at each end), got {self.margin}")
        if not 0.2 <= self.view <= 1:
            raise ValueError(f"view must be from 0.2 to 1 (the share of width and height), got {self.view}")


PRESETS = {"videossr": Difficulty(), "hard": Difficulty(num_clips=8, margin=0.33, view=0.6)}


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
) -> Sample:
    """Cuts the clip and shuffles the pieces.

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: not used.

    Raises:
        CannotDraw: too few frames for the knobs, or two pieces look the same, whole or in every view of one of them.
    """
    pieces = _cut(len(frames), difficulty)
    _check_pieces_differ(frames, pieces)
    n = difficulty.num_clips
    order = np.arange(n)
    while (order == np.arange(n)).all():
        order = rng.permutation(n)
    views = _draw_views(frames, pieces, difficulty.view, rng)
    clock = _even_clock(clip, pieces[0])
    specs = [clip.spec(NAME, views[i], times=clip.times[pieces[i]], clock=clock) for i in order]
    answer = "".join(str(position + 1) for position in np.argsort(order))
    return Sample(NAME, _question(n, difficulty.view < 1), tuple(specs), answer, {"shown": (order + 1).tolist()})


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """Returns frames (T, H, W, 3) seen through the view `transform`, or as they are if it is empty, as a new array."""
    return through(transform, frames) if transform else frames.copy()


def _cut(num_frames: int, difficulty: Difficulty) -> list[slice]:
    length = num_frames // difficulty.num_clips // 2 * 2
    left_out = max(
        0, min(round(difficulty.margin * length), length // 2 - 1)
    )  # the length is even, so 2 or more frames remain
    if length < 2 or (difficulty.margin and not left_out):
        raise CannotDraw(
            f"{num_frames} frames cut into {difficulty.num_clips} clips with a margin of {difficulty.margin:g} "
            "leave fewer than 2 frames for each, or none between two"
        )
    return [slice(i * length + left_out, (i + 1) * length - left_out) for i in range(difficulty.num_clips)]


def _draw_views(frames: np.ndarray, pieces: list[slice], side: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Draws a view for each piece; it is empty where the whole picture is shown."""
    if side == 1:
        return [{}] * len(pieces)
    shown = [frames[piece] for piece in pieces]
    light = light_of(np.concatenate(shown))
    return [draw_view(one, shown[:i] + shown[i + 1 :], light, side, rng) for i, one in enumerate(shown)]


def _even_clock(clip: Clip, piece: slice) -> list[float]:
    """Returns the clock of each piece. All pieces are as long as this one."""
    interval = clip.clock[-1] / (len(clip.clock) - 1)
    return [i * interval for i in range(piece.stop - piece.start)]


def _check_pieces_differ(frames: np.ndarray, pieces: list[slice]) -> None:
    """Refuses pieces that look the same: no two of their frames in step differ by the threshold of motion."""
    small = thumbnails(frames)
    for (i, a), (j, b) in combinations(enumerate(pieces), 2):
        if motion(small[a], small[b]).max() < MIN_MOTION:
            raise CannotDraw(f"pieces {i + 1} and {j + 1} look the same, so their order cannot be told")


def _question(n: int, in_views: bool) -> str:
    hint = " Each clip shows only a part of the picture, which may be mirrored." if in_views else ""
    videos = "\n".join(f"Clip {i}: <video>" for i in range(1, n + 1))
    example = "".join(map(str, [*range(2, n + 1, 2), *range(1, n + 1, 2)]))
    return (
        f"{videos}\nThese {n} clips were cut from one video and are shown in a wrong order.{hint} Put them in the "
        f"order in which they happened. Answer only with the {n} clip numbers from the earliest to the "
        f"latest, without spaces, for example {example}."
    )
