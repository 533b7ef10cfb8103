"""Anomaly grounding: when is a named change to be seen? (VideoSSR, arXiv 2511.06281.)

Game        One segment of the clip is changed, for example mirrored. The question names the change; the model
            says when the segment starts and ends.
Prompt      One video, then a question that contains the change's description from `frames.perturbations`.
Label       "a-b": seconds on the clip's clock with one decimal. a is the time of the segment's first frame, b
            that of the first frame after it; after the last frame of the clip, the last interval is added
            once more.
Reward      IoU of the two intervals (reward_fns.anomaly_grounding).
Chance      About 0.30 for the best constant interval in the paper's setting.
Knobs       perturbations: the changes to draw from, evenly; min_length, max_length: frames in the segment,
            uniform over the multiples of stride; stride: both borders are multiples of it. It is 2 because
            the vision tower merges frames two by two: an odd border lies inside such a pair, unseen.

A change that does not show in the segment (`frames.visibility`) is replaced: four segments are tried for each
change, in random order of the changes. Slow and fast keep the evenly spaced clock and show other source times,
so that the timestamps do not tell the segment. They need motion, and a source with enough frames. For swap the
only check is that the other video has other content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.contract import CannotDraw, Sample
from videossr_verl.tasks.frames.perturbations import PERTURBATIONS, check_params, fill, retime
from videossr_verl.tasks.frames.visibility import MIN_MOTION, is_visible, motion, thumbnails, visibility
from videossr_verl.tasks.segments import check_lengths, draw_segment, label

NAME = "anomaly_grounding"

_SEGMENTS = 4  # how many are tried for each perturbation


@dataclass(frozen=True)
class Difficulty:
    """Knobs of anomaly grounding; see the module. Lengths and stride are in frames."""

    perturbations: tuple[str, ...] = ("channel_swap", "mirror", "zoom_out", "rotate_180")
    min_length: int = 8
    max_length: int = 16
    stride: int = 2

    def __post_init__(self) -> None:
        if isinstance(self.perturbations, str):
            raise ValueError(f"perturbations must be a list of names, got the text '{self.perturbations}'")
        object.__setattr__(self, "perturbations", tuple(self.perturbations))  # JSON and YAML give lists
        unknown = [name for name in self.perturbations if name not in PERTURBATIONS]
        if unknown or not self.perturbations:
            got = f"unknown perturbation '{unknown[0]}'" if unknown else "perturbations is empty"
            raise ValueError(f"{got}; choose from: {', '.join(PERTURBATIONS)}")
        check_lengths(self.min_length, self.max_length, self.stride)


PRESETS = {"videossr": Difficulty()}


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
) -> Sample:
    """Draws a segment and a change that shows in it.

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: a clip of another video, needed for "swap" only.

    Raises:
        CannotDraw: no drawn change shows, the clip is too short for the knobs, or swap has no other clip.
    """
    if difficulty.max_length >= len(frames):
        raise CannotDraw(f"a segment of {difficulty.max_length} frames leaves no clean one in a clip of {len(frames)}")
    law = (difficulty.min_length, difficulty.max_length, difficulty.stride)
    reasons = {}
    for name in rng.permutation(difficulty.perturbations).tolist():
        for _ in range(_SEGMENTS):
            start, stop = draw_segment(len(frames), *law, rng)
            try:
                return _make_sample(clip, frames, name, start, stop, rng, other)
            except CannotDraw as reason:
                reasons[name] = str(reason)
    raise CannotDraw("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 with the segment changed, as a new array.

    Args:
        transform: {"perturbation", "params", "start", "stop"} and for swap "source"; `stop` is exclusive.
        other_frames: for swap, the frames of "source", (stop - start, h, w, 3); they fill H, W.
    """
    out = frames.copy()
    start, stop = transform["start"], transform["stop"]
    if not 0 <= start < stop <= len(frames):
        raise ValueError(f"frames {start} to {stop} are no segment of {len(frames)} frames")
    check_params(transform["params"], stop - start)
    segment = slice(start, stop)
    if transform["perturbation"] == "swap":
        if other_frames is None:
            raise ValueError("render needs other_frames for swap: decode transform['source'] and pass its frames")
        out[segment] = fill(other_frames, *frames.shape[1:3])
    else:
        change = PERTURBATIONS[transform["perturbation"]]
        out[segment] = change.apply(frames[segment], transform["params"])
    return out


def _make_sample(
    clip: Clip,
    frames: np.ndarray,
    name: str,
    start: int,
    stop: int,
    rng: np.random.Generator,
    other: Clip | None,
) -> Sample:
    answer = label(clip.clock, start, stop)
    change = PERTURBATIONS[name]
    params = change.draw(rng, stop - start, ((clip.height, clip.width), frames.shape[1:3]))
    transform: dict[str, Any] = {"perturbation": name, "params": params, "start": start, "stop": stop}
    details = {"perturbation": name, "start_frame": start, "stop_frame": stop}
    times = clip.times
    if name == "swap":
        transform["source"] = _borrow(clip, other, start, stop)
    elif name in ("slow", "fast"):
        times, details["visibility"] = _change_speed(clip, frames, start, stop, params["speed"])
    else:
        segment = frames[start:stop]
        changed = change.apply(segment, params)
        if not is_visible(name, params, segment, changed):
            raise CannotDraw("the change does not show in the pictures")
        details["visibility"] = round(visibility(segment, changed), 4)
    spec = clip.spec(NAME, transform, times=times, clock=clip.clock)
    return Sample(NAME, _question(name), (spec,), answer, details)


def _question(name: str) -> str:
    hint = ""
    if name in ("slow", "fast"):
        hint = " The timestamps stay evenly spaced, so judge the speed by what moves in the picture."
    return (
        f"<video>\nIn one segment of this video {PERTURBATIONS[name].description}.{hint} "
        "Find out exactly when this segment starts and when it ends. "
        "Answer only with both times in seconds, in the form <start>-<end>, for example 14.5-26.2."
    )


def _borrow(clip: Clip, other: Clip | None, start: int, stop: int) -> dict[str, Any]:
    """Returns the other clip's frames at the same positions."""
    if other is None:
        raise CannotDraw("swap needs a clip of another video")
    if other.content_id == clip.content_id:
        raise CannotDraw("the other video has the same content")
    if len(other.times) < stop:
        raise CannotDraw(f"the other clip has {len(other.times)} frames, {stop} are needed")
    times = [round(float(t), 6) for t in other.times[start:stop]]
    return {"video": other.video, "times": times, "width": other.width, "height": other.height}


def _change_speed(
    clip: Clip, frames: np.ndarray, start: int, stop: int, speed: float
) -> tuple[tuple[float, ...], float]:
    """Returns the source times with a slow or fast segment, and the mean motion of what it shows."""
    wanted = retime(clip.times, clip.clock, start, stop, speed)
    pts = np.asarray(clip.pts)
    middles = (pts[1:] + pts[:-1]) / 2
    chosen = np.searchsorted(middles, wanted)
    if (np.diff(chosen) < 1).any():
        raise CannotDraw("the source has too few frames to show it slower or faster without repeating any")
    # The segment, and one frame on each side: without motion there, nobody can tell its borders.
    times = np.asarray(clip.times)
    first = max(0, int(np.searchsorted(times, wanted[start])) - 1)
    last = min(len(times) - 1, int(np.searchsorted(times, wanted[min(stop, len(times) - 1)])) + 1)
    small = thumbnails(frames[first : last + 1])
    moved = motion(small[:-1], small[1:])
    if (moved < MIN_MOTION).any():
        raise CannotDraw("nothing moves there, so the speed does not show")
    return tuple(pts[chosen].tolist()), round(float(moved.mean()), 4)
