"""Arrow of time: which clips run backwards? (ArrowRL, arXiv 2506.03340; ViSS-R1, arXiv 2511.13054.)

Game        m pieces of one video are shown, each twice: forwards, and with the same frames backwards.
Prompt      2m videos, one line "Clip i: <video>" each, then the question, which says that clips 1 and 2 are a pair, 3
            and 4, and so on. All have the same clock: from 0, in even steps of the mean interval of the source's
            frames; uneven true times would tell the direction.
Label       "1,4,6": the clips that run backwards, one of each pair, each of the two with probability 1/2.
Reward      The share of the pairs that are answered rightly (reward_fns.arrow_of_time).
Chance      0.5 for every answer that does not see the direction, also for one that finds out which pieces run the same
            way.
Knobs       num_pairs: m, 1 to 4. length: frames of a piece, even. Pieces lie anywhere in the clip, in random order,
            half a length or more apart. min_motion: how much a piece must differ from its own reverse
            (`frames.direction`), 0 to 1.

What gives the label away without motion is closed: both directions have the very same frames, so that codecs and
scaling leave the same traces in both; all frames of a piece are brought to one light (`frames.even_light`), since
videos fade in and cameras adapt; the pieces' order tells nothing. The question tells which clips are a pair, so that
nothing is to be earned by finding that out.

A piece is refused if it is close to its own reverse: if it stands still, or goes there and back. One with a cut is
refused too: two still scenes differ from their reverse, and have no direction. Light does not count as motion.

What cannot be judged here is whether a motion has a direction by nature. A camera that pans or a wheel that turns looks
as likely backwards, and such a pair stays a coin toss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.contract import CannotDraw, Sample
from videossr_verl.tasks.frames.direction import has_cut, unlike_reverse
from videossr_verl.tasks.frames.even_light import common_light, evened
from videossr_verl.tasks.frames.visibility import thumbnails

NAME = "arrow_of_time"
# What has a direction takes a second or two, so clips have a rate, whatever the preset asks for the other tasks.
CLIP: Mapping[str, Any] = {"num_frames": 128, "fps": (4, 16), "min_frames": 32}

_TRIES = 1000  # each start is judged once


@dataclass(frozen=True)
class Difficulty:
    """Knobs of the arrow of time; see the module. The length is in frames."""

    num_pairs: int = 3
    length: int = 8
    min_motion: float = 0.03

    def __post_init__(self) -> None:
        if not 1 <= self.num_pairs <= 4:
            raise ValueError(f"num_pairs must be 1 to 4, got {self.num_pairs}")
        if self.length < 4 or self.length % 2:
            raise ValueError(f"length must be even and at least 4 frames, got {self.length}")
        if not 0 < self.min_motion < 1:
            raise ValueError(f"min_motion must be between 0 and 1, got {self.min_motion}")


PRESETS = {"arrow_of_time": Difficulty()}


def frames_shown(difficulty: Difficulty, num_frames: int) -> list[int]:
    """Returns frames of each video of a prompt."""
    return [difficulty.length] * (2 * difficulty.num_pairs)


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
) -> Sample:
    """Cuts pieces, and tosses a coin for each: which of its two clips runs backwards?

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: not used.

    Raises:
        CannotDraw: too few frames for the knobs, or too few pieces in which a direction can be seen.
    """
    starts = _choose(frames, difficulty, rng)
    backward_first = rng.integers(2, size=len(starts)).astype(bool)
    interval = clip.clock[-1] / (len(clip.clock) - 1)
    clock = [i * interval for i in range(difficulty.length)]
    specs = []
    for start, swapped in zip(starts, backward_first, strict=True):
        piece = slice(start, start + difficulty.length)
        times, light = clip.times[piece], common_light(frames[piece])
        both = [clip.spec(NAME, {"light": light}, times=shown, clock=clock) for shown in (times, times[::-1])]
        specs += both[::-1] if swapped else both
    answer = ",".join(str(2 * pair + (1 if swapped else 2)) for pair, swapped in enumerate(backward_first))
    details = {"starts": [round(clip.clock[start], 3) for start in starts]}
    return Sample(NAME, _question(difficulty.num_pairs), tuple(specs), answer, details)


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 in the light that `transform` asks for, as a new array. Their order is in the
    times of the video's spec.
    """
    return evened(transform["light"], frames)


def _choose(frames: np.ndarray, difficulty: Difficulty, rng: np.random.Generator) -> list[int]:
    """Draws the starts of pieces that are apart and have a direction, in random order."""
    length, count = difficulty.length, difficulty.num_pairs
    apart = length + length // 2
    free = len(frames) - length - (count - 1) * apart
    if free < 0:
        raise CannotDraw(
            f"{len(frames)} frames are too few for {count} pieces of {length} frames, {length // 2} apart; "
            f"{len(frames) - free} are needed",
            "too_few_frames",
        )
    why_not = cache(lambda start: _why_not(frames[start : start + length], difficulty.min_motion))
    for _ in range(_TRIES):
        # Drawn without the gaps that must be, which are then put back.
        starts = np.sort(rng.integers(free + 1, size=count)) + np.arange(count) * apart
        if all(why_not(start) is None for start in starts.tolist()):
            return rng.permutation(starts).tolist()
    reasons = Counter(map(why_not, range(len(frames) - length + 1)))
    found = f"found no {count} pieces, {length // 2} frames apart, in which a direction can be seen"
    raise CannotDraw(found, "cut" if reasons["cut"] > reasons["no_direction"] else "no_direction")


def _why_not(piece: np.ndarray, min_motion: float) -> str | None:
    """Returns the reason why no direction can be seen in a piece, in the light that it is shown in, or None."""
    seen = thumbnails(evened(common_light(piece), piece))
    return "cut" if has_cut(seen) else "no_direction" if unlike_reverse(seen) < min_motion else None


def _question(num_pairs: int) -> str:
    videos = "\n".join(f"Clip {i}: <video>" for i in range(1, 2 * num_pairs + 1))
    same = "Clips 1 and 2 show the same frames: one forwards, as they were filmed, the other backwards."
    if num_pairs == 1:
        return f"{videos}\n{same} Which clip runs backwards? Answer only with its number, 1 or 2."
    others = ", and ".join(f"clips {i} and {i + 1}" for i in range(3, 2 * num_pairs, 2))
    so_do = f"So do {others}" if num_pairs == 2 else f"So do, pair by pair, {others}"
    example = ",".join(str(2 * pair + 1 + pair % 2) for pair in range(num_pairs))
    return (
        f"{videos}\n{same} {so_do}. Find the clip of each pair that runs backwards. Answer only with the {num_pairs} "
        f"numbers of the backward clips, separated by commas, for example {example}."
    )
