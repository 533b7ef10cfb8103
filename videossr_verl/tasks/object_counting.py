"""Object counting: how many circles, squares and triangles were drawn? (VideoSSR, arXiv 2511.06281.)

Game        Plain filled shapes of random size, colour and angle are drawn on a few frames. A frame carries
            one kind of shape only. The model counts every instance in every frame once.
Prompt      One video, then the question.
Label       "c,s,t": numbers of circles, squares and triangles over the whole video.
Reward      Mean over the three of max(0, 1 - error / truth) (reward_fns.object_counting).
Chance      0.58 for the best constant answer in the paper's setting ("3,3,3").
Knobs       min_frames, max_frames: frames that carry a shape, uniform, drawn for each shape; min_instances,
            max_instances: instances in each such frame, uniform; min_gap: least difference between the
            numbers of two frames of one shape. Presets are the paper's easy (videossr, 1 to 9 of each shape)
            and hard (1 to 16).

As in the paper a shape is drawn on a single frame. The vision tower merges frames two by two, so two
different shapes never share such a pair. Instances are apart from each other, wholly inside the picture, and
in contrast to what is behind them (`frames.shapes`): what is counted can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.contract import CannotDraw, Sample
from videossr_verl.tasks.frames.apart import draw_apart
from videossr_verl.tasks.frames.shapes import SHAPES, draw_shapes, place_shapes

NAME = "object_counting"

_QUESTION = (
    "<video>\nPlain filled shapes were drawn over some frames of this video: circles, squares and "
    "triangles of any size, colour and angle. A frame may show several of them, and the same kind may "
    "come again in other frames. Count over the whole video: every shape in every frame counts once. "
    "Answer only with three integers, the numbers of circles, squares and triangles, in the form "
    "<circles>,<squares>,<triangles>, for example 3,1,4."
)
_TRIES = 1000


@dataclass(frozen=True)
class Difficulty:
    """Knobs of object counting; see the module."""

    max_frames: int = 3
    max_instances: int = 3
    min_frames: int = 1
    min_instances: int = 1
    min_gap: int = 9

    def __post_init__(self) -> None:
        for low, high, what in (
            (self.min_frames, self.max_frames, "frames"),
            (self.min_instances, self.max_instances, "instances"),
        ):
            if not 1 <= low <= high:
                raise ValueError(f"need 1 <= min_{what} <= max_{what}, got {low} and {high}")
        if self.min_gap < 1:
            raise ValueError(f"min_gap must be at least 1 frame, got {self.min_gap}")


PRESETS = {"videossr": Difficulty(), "hard": Difficulty(max_frames=4, max_instances=4)}


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
) -> Sample:
    """Draws shapes, their frames and places.

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: not used.

    Raises:
        CannotDraw: the clip has too few frames for the knobs, or a frame has no room or no contrast.
    """
    _check_room(len(frames), difficulty)
    counts = rng.integers(difficulty.min_frames, difficulty.max_frames + 1, len(SHAPES)).tolist()
    chosen = _choose_frames(len(frames), counts, difficulty.min_gap, rng)
    drawn = []
    for shape, indices in zip(SHAPES, chosen, strict=True):
        for index in indices:
            instances = int(rng.integers(difficulty.min_instances, difficulty.max_instances + 1))
            places = place_shapes(frames[index], shape, instances, rng)
            drawn.append({"frame": index, "shape": shape, "places": places})
    totals = [sum(len(d["places"]) for d in drawn if d["shape"] == shape) for shape in SHAPES]
    details = {"frames": dict(zip(SHAPES, chosen, strict=True))}
    spec = clip.spec(NAME, {"drawn": sorted(drawn, key=lambda d: d["frame"])})
    return Sample(NAME, _QUESTION, (spec,), ",".join(map(str, totals)), details)


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 with the shapes drawn, as a new array.

    Args:
        transform: {"drawn": [{"frame", "shape", "places"}, ...]}, places as in `frames.shapes`.
        other_frames: not used.
    """
    out = np.array(frames, order="C")
    for drawn in transform["drawn"]:
        draw_shapes(out[drawn["frame"]], drawn["shape"], drawn["places"])
    return out


def _check_room(num_frames: int, difficulty: Difficulty) -> None:
    """Refuses a clip that cannot carry the largest draw: using it for small ones would shift the counts."""
    span = (difficulty.max_frames - 1) * difficulty.min_gap + 1
    pairs = len(SHAPES) * (difficulty.max_frames if difficulty.min_gap > 1 else -(-difficulty.max_frames // 2))
    if span > num_frames or 2 * pairs > num_frames:
        raise CannotDraw(
            f"{num_frames} frames are too few for {difficulty.max_frames} frames of each shape, "
            f"{difficulty.min_gap} apart; lower max_frames or min_gap"
        )


def _choose_frames(num_frames: int, counts: list[int], gap: int, rng: np.random.Generator) -> list[list[int]]:
    """Draws for each shape its sorted frames. All valid choices are equally likely."""
    for _ in range(_TRIES):
        chosen = [draw_apart(num_frames, count, gap, rng) for count in counts]
        pairs = [{index // 2 for index in indices} for indices in chosen]
        if len(set().union(*pairs)) == sum(map(len, pairs)):
            return chosen
    raise CannotDraw(f"found no {counts} frames of {num_frames} that are {gap} apart and share no pair of frames")
