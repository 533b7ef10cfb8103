"""Snippet localisation: when in a video does a short clip of it occur?

Game        A segment of the clip is shown a second time, as a snippet: other frames of the same seconds, a part of the
            picture only, in other light and other colours, tilted, mirrored or not, at another speed. The model says
            when it happens in the video.
Prompt      The video, then the snippet, then the question. The video's clock is told. The snippet has an even clock
            of its own, from 0, in the video's mean interval, and as many frames as any other snippet: neither tells how
            long the segment is.
Label       "a-b": seconds on the video's clock with one decimal. a is the time of the last frame before the snippet's
            first one, b that of the first frame after its last one, both on multiples of stride.
Reward      IoU of the two intervals (reward_fns.snippet_localisation).
Chance      0.28 for the best constant interval with the default knobs and 40 frames.
Knobs       min_length, max_length: intervals between frames of the video in the segment, uniform over the multiples of
            stride; stride: both borders are multiples of it, 2 because the vision tower merges frames two by two, and
            Qwen3-VL is told one time for both; snippet_frames: frames of the snippet; view: share of width and
            height that the snippet shows; video_view: that of the video, which then is a part of the picture too;
            glass: how strong light, gamma, colours and blur are changed, 0 to 1 (`frames.glass`); tilt: degrees by
            which the snippet is turned at most, to either side.

EvoVid (arXiv 2605.21931) pays a model for finding segments that a video gives by itself, and EvoGround (arXiv
2605.13803) pays IoU on queries that a model wrote. Ours, so that the label is right and needs seeing:
- No frame is in both: the snippet's lie between those of the video. A source without enough frames there is refused
  (too_few_frames), whatever segment is drawn, because fast videos would otherwise get the long segments only.
- The speed is the snippet's own, so start and end both have to be found.
- All light of a snippet is brought to the same mean and spread, drawn for the whole video, so that no brightness tells.
- Both borders show: a frame at a border differs from those one stride before and after it (no_motion: still videos).
- No other place looks like it: each segment without overlap, of any length that may be drawn, differs from it at least
  as much as it does if it is moved by one frame (not_unique). Both are measured in the part of the picture that both
  videos show, and whatever the light, since light is changed (`frames.segment_places`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.contract import CannotDraw, Sample
from videossr_verl.tasks.frames.glass import check_glass, draw_glass, stained, tilted
from videossr_verl.tasks.frames.segment_places import Part, check_place, common, differences
from videossr_verl.tasks.frames.views import light_of, through
from videossr_verl.tasks.segments import check_lengths, draw_segment, label

NAME = "snippet_localisation"

_TRIES = 8
_STEPS = 1000  # the grid of places, coarse so that a row stays short
_SHARED = 0.5  # least share of the snippet's width, and of its height, that the video shows too
_MOST_LIGHT, _MOST_CAST = 30.0, 20.0  # grey levels by which glass moves the mean, of all colours and of each
_MOST_CONTRAST = 1.5
_DARKEST = 80.0  # mean of a snippet's light: a person must be able to see what happens


@dataclass(frozen=True)
class Difficulty:
    """Knobs of snippet localisation; see the module. Lengths and stride are in frames of the video."""

    min_length: int = 6
    max_length: int = 12
    stride: int = 2
    snippet_frames: int = 8
    view: float = 0.6
    video_view: float = 0.8
    glass: float = 1.0
    tilt: float = 15.0

    def __post_init__(self) -> None:
        check_lengths(self.min_length, self.max_length, self.stride)
        if self.snippet_frames < 2 or self.snippet_frames % 2:
            raise ValueError(f"snippet_frames must be even and at least 2, got {self.snippet_frames}")
        for name in ("view", "video_view"):
            if not 0.2 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name} must be from 0.2 to 1 (the share of width and height), got {getattr(self, name)}"
                )
        if not 0 <= self.glass <= 1:
            raise ValueError(f"glass must be from 0 to 1, got {self.glass}")
        if not 0 <= self.tilt <= 45:
            raise ValueError(f"tilt must be from 0 to 45 degrees, got {self.tilt}")


PRESETS = {
    "snippet_localisation": Difficulty(),
    "hard": Difficulty(min_length=4, max_length=10, view=0.5, video_view=0.6, tilt=30.0),
}


def frames_shown(difficulty: Difficulty, num_frames: int) -> list[int]:
    """Returns frames of each video of a prompt: of the video and of the snippet."""
    return [num_frames, difficulty.snippet_frames]


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
) -> Sample:
    """Draws a segment that has one place only, and how it is shown a second time.

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: not used.

    Raises:
        CannotDraw: too_few_frames, too few in the clip for the knobs or in the source for a snippet; no_motion or
            not_unique, for the last of the segments that were tried.
    """
    last = len(frames) - 1
    if 2 * difficulty.max_length > last:
        raise CannotDraw(
            f"a segment of {difficulty.max_length} intervals is more than half of the {last} in {len(frames)} frames",
            "too_few_frames",
        )
    _check_source(clip, difficulty)
    refused = CannotDraw("no segment was tried")
    for _ in range(_TRIES):
        start, stop = draw_segment(last, difficulty.min_length, difficulty.max_length, difficulty.stride, rng)
        seen, shown = _draw_parts(difficulty, rng)
        try:
            facts = check_place(
                differences(frames, common(seen, shown)),
                (start, stop),
                range(difficulty.min_length, difficulty.max_length + 1, difficulty.stride),
                difficulty.snippet_frames,
                difficulty.stride,
            )
        except CannotDraw as reason:
            refused = reason
            continue
        return _make_sample(clip, frames, start, stop, seen, shown, facts, difficulty, rng)
    raise refused


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 as the video or the snippet shows them, as a new array.

    Args:
        transform: {"view"} as in `frames.views`, and of a snippet {"glass"} as in `frames.glass`; empty for a video
            that shows the whole picture.
        other_frames: not used.
    """
    if not transform:
        return frames.copy()
    view, glass = transform["view"], transform.get("glass")
    if glass is None:
        return through(view, frames)
    check_glass(glass)
    x, y = (place + view["side"] / 2 for place in view["place"])
    return stained(glass, through(view, tilted(glass, frames, (x, y))))


def _check_source(clip: Clip, difficulty: Difficulty) -> None:
    """Refuses a source with too few frames for a snippet of the shortest segment anywhere in the clip."""
    for start in range(0, len(clip.times) - difficulty.min_length, difficulty.stride):
        free = len(_free_times(clip, start, start + difficulty.min_length))
        if free < difficulty.snippet_frames:
            raise CannotDraw(
                f"the source has {free} frames between those of {difficulty.min_length} intervals, "
                f"{difficulty.snippet_frames} are needed",
                "too_few_frames",
            )


def _free_times(clip: Clip, start: int, stop: int) -> np.ndarray:
    """Returns the source times between frames `start` and `stop` that the video does not show."""
    pts = np.asarray(clip.pts)
    inside = pts[(pts > clip.times[start]) & (pts < clip.times[stop])]
    return inside[~np.isin(inside, clip.times)]


def _snippet_times(clip: Clip, start: int, stop: int, count: int) -> tuple[float, ...]:
    """Returns `count` rising source times that the video does not show, as even as can be: from the middle of the first
    interval to that of the last one.
    """
    free, t = _free_times(clip, start, stop), clip.times
    wanted = np.linspace((t[start] + t[start + 1]) / 2, (t[stop - 1] + t[stop]) / 2, count)
    nearest = np.searchsorted((free[1:] + free[:-1]) / 2, wanted)
    steps = np.arange(count)
    nearest = np.maximum.accumulate(nearest - steps) + steps  # of two that share a frame one takes the next,
    return tuple(free[np.minimum(nearest, len(free) - count + steps)].tolist())  # or at the end the one before


def _draw_parts(difficulty: Difficulty, rng: np.random.Generator) -> tuple[Part, Part]:
    """Draws which parts of the picture the snippet and the video show, with enough in common."""
    while True:
        seen, shown = (_draw_part(side, rng) for side in (difficulty.view, difficulty.video_view))
        left, upper, right, lower = common(seen, shown)
        if min(right - left, lower - upper) >= _SHARED * min(difficulty.view, difficulty.video_view):
            return seen, shown


def _draw_part(side: float, rng: np.random.Generator) -> Part:
    x, y = (rng.integers(0, int((1 - side) * _STEPS) + 1, 2) / _STEPS).tolist()
    return x, y, side


def _make_sample(
    clip: Clip,
    frames: np.ndarray,
    start: int,
    stop: int,
    seen: Part,
    shown: Part,
    facts: Mapping[str, float],
    difficulty: Difficulty,
    rng: np.random.Generator,
) -> Sample:
    light = light_of(frames)
    glass = draw_glass(difficulty.glass, difficulty.tilt, rng)
    snippet = {"view": _view(seen, _other_light(light, difficulty.glass, rng), bool(rng.integers(2))), "glass": glass}
    video = {} if difficulty.video_view == 1 else {"view": _view(shown, light, False)}
    times = _snippet_times(clip, start, stop, difficulty.snippet_frames)
    interval = clip.clock[-1] / (len(clip.clock) - 1)
    specs = (
        clip.spec(NAME, video),
        clip.spec(NAME, snippet, times=times, clock=[i * interval for i in range(len(times))]),
    )
    details = {"start_frame": start, "stop_frame": stop, **facts}
    return Sample(NAME, _question(difficulty), specs, label(clip.clock, start, stop), details)


def _view(part: Part, light: np.ndarray, mirror: bool) -> dict[str, Any]:
    mean, spread = light.round(1).tolist()
    return {"place": list(part[:2]), "side": part[2], "mirror": mirror, "mean": mean, "spread": spread}


def _other_light(light: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Returns (2, 3): mean and spread of each colour as in `light`, but brighter or darker, with other contrast."""
    if strength == 0:
        return light
    mean = light[0] + strength * (rng.uniform(-_MOST_LIGHT, _MOST_LIGHT) + rng.uniform(-_MOST_CAST, _MOST_CAST, 3))
    spread = light[1] * _MOST_CONTRAST ** (strength * rng.uniform(-1, 1))
    return np.stack([mean.clip(_DARKEST, 255 - _DARKEST), spread.clip(10, 80)])


def _question(difficulty: Difficulty) -> str:
    which = "only a" if difficulty.video_view == 1 else "another"
    part = f"shows {which} part of the picture, " if difficulty.view < 1 else ""
    turned = " or tilted" if difficulty.tilt else ""
    colours = ", has other colours and other light" if difficulty.glass else ""
    return (
        "Video: <video>\nSnippet: <video>\nThe snippet shows a short part of this video a second time. It "
        f"{part}may be mirrored{turned}{colours}, and it may run faster or slower, so its own timestamps tell nothing. "
        "When does this part happen in the video? Answer only with its start and its end in seconds of the video, in "
        "the form <start>-<end>, for example 14.5-26.2."
    )
