"""Masked video prediction: which frames fill the gap, and in which order? (MVP, arXiv 2601.03781.)

Game        A clip's frames, 1 a second (more in short videos) and without look-alikes, lose one run of K key frames.
            The model sees the frames before and after the gap and a shuffled pool: the K true frames and l distractors
            of the same video.
Prompt      Two videos with the gap and its place in time between them, then the candidates "A: ..." to the last, then
            the question. The prompt writes the time of every frame, since Qwen2.5-VL's own clock restarts with each
            video and has even steps. The second video's times go on from the first's (Qwen3-VL's prompt has them as
            `<t seconds>` too).
Label       "CAFD": the K letters in temporal order.
Reward      Half for choosing, half for ordering (reward_fns.masked_video_prediction).
Chance      0.40 for any answer of 4 labels with K = l = 4 (preset mvp).
Knobs       num_key_frames: N, shown and masked ones together.
            num_masked: K. num_distractors: l.
            embedding: decides with the pixels (`frames.look_alikes`) whether two frames look alike (`video.embedding`).
            kappa: frames more alike than this are one frame; None takes the embedding's own value (`videossr calibrate`
            shows what it means).
            radius: distractors come from so many key frames beyond each edge of the gap.
            hardness: 0 draws them at random, 1 takes those most like a true frame, in between the two ranks are mixed.
            candidates: "video" or "image". view: share of width and height that a candidate shows.
            Presets: mvp; mvp_short (2 masked of 3, for videos of some seconds); mvp_easy (2 masked of 4); mvp_hard (6
            of 18) and mvp_harder (8 of 24), whose distractors are the runs nearby that are most like true frames, and
            whose candidates are seen through views.

From the paper: 1 frame a second from a random start, greedy de-duplication by CLIP similarity against the last kept
frame, one masked run, distractors from the same neighbourhood of the same video, GRPO. Ours, since the paper does not
publish them: every number above, the prompt, and these rules, which keep the label right:
- De-duplication goes on until N + l frames are kept. The distractors are l of them, taken out of the sequence
  with all their look-alikes, so they are as near and as distinct as true frames; nothing else tells the two apart.
- The frames at both edges of the gap are shown, and their times give its place: no distractor lies in it.
- A candidate looks like no other frame of the sequence, neither by the embedding (above kappa) nor in its pixels: not
  like another candidate, which would be a second right answer, nor like a frame that is shown. Look-alikes inside the
  gap are used nowhere.
- Distractors are runs of K frames of the sequence, as the true ones are (the rest of l / K is a shorter run). Otherwise
  the true frames would be those that are most like each other, and nobody would need the context to find them.
- A candidate with a view of its own (`frames.views`: a part of the picture, mirrored or not, all in the same light)
  looks like no other frame of the sequence in this view either.
- N frames are left, and are still de-duplicated: a distractor between two frames that look alike is not taken.
- At least two frames are shown on each side of the gap.
- Both parts have an even number of frames, because the vision tower merges frames two by two. So N - K is even.

Candidates are two-frame videos of one repeated frame by default: to the vision tower that is exactly an image. Real
images cost the same. But verl runs the tower once for images and once for videos, so where only some rows of a run have
images, FSDP ranks wait for each other forever: choose "image" only if all rows have them, or for one rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

import numpy as np

from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.contract import CannotDraw, Sample
from videossr_verl.tasks.frames.key_frames import key_frames
from videossr_verl.tasks.frames.look_alikes import likeness
from videossr_verl.tasks.frames.views import draw_view, light_of, through
from videossr_verl.video.embedding import BUILT_IN, default_kappa
from videossr_verl.video.rejected import RejectReason
from videossr_verl.video.specs import ImageSpec, VideoSpec

NAME = "masked_video_prediction"
# The task's own clips, whatever the preset's other tasks show: the paper's rate, at most the first 4 minutes. Ours:
# videos of less than 40 seconds are shown faster, up to 8 frames a second, so that there are frames to choose from.
CLIP = {"num_frames": 256, "fps": (1.0, 8.0), "min_frames": 40, "margin": 0.0}

_CLIP_MODEL = "openai/clip-vit-base-patch32"
_TRIES = 100
_MIN_CONTEXT = 2  # frames on each side of the gap


@dataclass(frozen=True)
class Difficulty:
    """Knobs of masked video prediction; see the module."""

    num_key_frames: int = 16
    num_masked: int = 4
    num_distractors: int = 4
    embedding: str = BUILT_IN
    kappa: float | None = None
    radius: int = 8
    hardness: float = 0.5
    candidates: str = "video"
    view: float = 1.0

    def __post_init__(self) -> None:
        context = self.num_key_frames - self.num_masked
        if self.num_masked < 1 or self.num_distractors < 1:
            raise ValueError(
                f"need num_masked and num_distractors of at least 1, got {self.num_masked} and {self.num_distractors}"
            )
        if self.num_masked + self.num_distractors > len(ascii_uppercase):
            raise ValueError(
                f"num_masked + num_distractors must be at most {len(ascii_uppercase)}, one letter each, "
                f"got {self.num_masked} + {self.num_distractors}"
            )
        if context % 2:
            raise ValueError(
                f"num_key_frames - num_masked must be even (frames are merged in pairs), got {self.num_key_frames} - "
                f"{self.num_masked}"
            )
        if context < 2 * _MIN_CONTEXT:
            raise ValueError(
                f"num_key_frames - num_masked must be at least {2 * _MIN_CONTEXT} ({_MIN_CONTEXT} shown on each side), "
                f"got {self.num_key_frames} - {self.num_masked}"
            )
        if self.kappa is not None and not 0 < self.kappa < 1:
            raise ValueError(f"kappa must be between 0 and 1, or None, got {self.kappa}")
        if self.radius < 1:
            raise ValueError(f"radius must be at least 1 key frame, got {self.radius}")
        if not 0 <= self.hardness <= 1:
            raise ValueError(f"hardness must be from 0 to 1, got {self.hardness}")
        if self.candidates not in ("video", "image"):
            raise ValueError(f"candidates must be 'video' or 'image', got '{self.candidates}'")
        if not 0.2 <= self.view <= 1:
            raise ValueError(f"view must be from 0.2 to 1 (the share of width and height), got {self.view}")
        if self.view < 1 and self.candidates == "image":
            raise ValueError("candidates must be 'video' for a view below 1: images are shown whole")


PRESETS = {
    "mvp": Difficulty(embedding=_CLIP_MODEL),
    "mvp_short": Difficulty(embedding=_CLIP_MODEL, num_key_frames=6, num_masked=2, num_distractors=1),
    "mvp_easy": Difficulty(embedding=_CLIP_MODEL, num_masked=2, num_distractors=2, radius=16, hardness=0),
    "mvp_hard": Difficulty(
        embedding=_CLIP_MODEL, num_key_frames=24, num_masked=6, num_distractors=12, radius=16, hardness=1, view=0.4
    ),
    "mvp_harder": Difficulty(
        embedding=_CLIP_MODEL, num_key_frames=32, num_masked=8, num_distractors=16, radius=20, hardness=1, view=0.4
    ),
}


def frames_shown(difficulty: Difficulty, num_frames: int) -> list[int]:
    """Returns frames of each video of a prompt: of the context and of the candidates, each one frame twice, or an
    image.
    """
    candidate = 2 if difficulty.candidates == "video" else 1
    candidates = difficulty.num_masked + difficulty.num_distractors
    return [difficulty.num_key_frames - difficulty.num_masked, *[candidate] * candidates]


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
    embeddings: np.ndarray | None = None,
) -> Sample:
    """Chooses the sequence, the gap and the distractors.

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: not used.
        embeddings: (T, D) of the frames, by `difficulty.embedding`.

    Raises:
        CannotDraw: too_few_frames or too_little_change: fewer than N + l (different) ones; cannot_draw: no gap and
            distractors, or no views, keep the rules.
    """
    if embeddings is None:
        raise ValueError("masked_video_prediction needs the frames' embeddings")
    kappa = difficulty.kappa or default_kappa(difficulty.embedding)
    alike = likeness(frames, embeddings)
    kept = _sequence(alike, kappa, difficulty, rng)
    for _ in range(_TRIES):
        chosen = _mask(alike[np.ix_(kept, kept)], kappa, difficulty, rng)
        if chosen is not None:
            masked, distractors = ([kept[i] for i in part] for part in chosen)
            return _sample(clip, frames, kept, masked, distractors, alike, difficulty, rng)
    raise CannotDraw(
        f"among {len(kept)} key frames no gap of {difficulty.num_masked} has {difficulty.num_distractors} distractors "
        f"within {difficulty.radius} that look like no other frame (kappa {kappa:g})"
    )


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """Returns frames (T, H, W, 3) seen through the view `transform`, or as they are if it is empty, as a new array."""
    return through(transform, frames) if transform else frames.copy()


def _sequence(alike: np.ndarray, kappa: float, difficulty: Difficulty, rng: np.random.Generator) -> list[int]:
    """Draws n + l frames, each different from the one before, from a random start among those that leave enough."""
    needed = difficulty.num_key_frames + difficulty.num_distractors
    if len(alike) < needed:
        raise CannotDraw(
            f"it has {len(alike)} frames at the clip's fps; {difficulty.num_key_frames} key frames and "
            f"{difficulty.num_distractors} distractors are needed",
            RejectReason.TOO_FEW_FRAMES.value,
        )
    most = 0
    for start in rng.permutation(len(alike) - needed + 1).tolist():
        kept = key_frames(alike, start, kappa, needed)
        if len(kept) == needed:
            return kept
        most = max(most, len(kept))
    raise CannotDraw(
        f"only {most} of its {len(alike)} frames differ from the one before (kappa {kappa:g}); {needed} are needed",
        "too_little_change",
    )


def _mask(
    alike: np.ndarray, kappa: float, difficulty: Difficulty, rng: np.random.Generator
) -> tuple[list[int], list[int]] | None:
    """Returns the places of the gap and of the distractors in the sequence, by its similarities, or None if this gap
    has none.
    """
    count, length = len(alike), difficulty.num_masked
    apart = alike - 2 * np.eye(count)
    distinct = apart.max(axis=1) <= kappa
    start = int(rng.integers(_MIN_CONTEXT, count - length - _MIN_CONTEXT + 1))
    masked = list(range(start, start + length))
    # The frames at the gap's edges are shown. The gap reaches from one to the other, and holds no distractor.
    near = [*range(max(0, start - 1 - difficulty.radius), start - 1)]
    near += range(start + length + 1, min(count, start + length + 1 + difficulty.radius))
    eligible = [i for i in near if distinct[i]]
    noise = rng.permutation(len(eligible))
    if not distinct[masked].all() or len(eligible) < difficulty.num_distractors:
        return None
    # Sorting the places of a sorted list gives ranks: 0 for the frame that is least like a masked one.
    likeness = np.argsort(np.argsort([alike[i, masked].max() for i in eligible], kind="stable"), kind="stable")
    value = dict(zip(eligible, difficulty.hardness * likeness + (1 - difficulty.hardness) * noise, strict=True))
    distractors = _best_split(start, length, count, value, difficulty)
    if distractors is None:
        return None
    shown_or_masked = [i for i in range(count) if i not in distractors]
    if (alike[shown_or_masked[:-1], shown_or_masked[1:]] > kappa).any():
        return None
    return masked, distractors


def _best_split(
    start: int, length: int, count: int, value: Mapping[int, float], difficulty: Difficulty
) -> list[int] | None:
    """Returns the most valuable runs of distractors that leave an even number of frames, and enough, on each side."""
    runs = divmod(difficulty.num_distractors, length)
    early, late = (_best_runs(value, *side, length, runs[1]) for side in ((0, start), (start + length, count)))
    best: tuple[float, list[int]] | None = None
    for (whole, rest), (total, before) in early.items():
        more, after = late.get((runs[0] - whole, bool(runs[1]) - rest), (0.0, None))
        if after is None:
            continue
        sides = (start - len(before), count - start - length - len(after))
        if sides[0] % 2 or min(sides) < _MIN_CONTEXT:
            continue
        if best is None or total + more > best[0]:
            best = (total + more, [*before, *after])
    return best[1] if best else None


def _best_runs(
    value: Mapping[int, float], start: int, stop: int, length: int, rest: int
) -> dict[tuple[int, int], tuple[float, list[int]]]:
    """Returns the most valuable frames from `start` to before `stop` that are runs of `length`, and one of `rest` or
    none.

    By the numbers of both, each with the sum of the values.
    """
    best: list[dict[tuple[int, int], tuple[float, list[int]]]] = [{(0, 0): (0.0, [])} for _ in range(stop - start + 1)]
    for first in range(stop - 1, start - 1, -1):
        found = best[first - start] = dict(best[first + 1 - start])
        for size in {length, rest} - {0}:
            run = list(range(first, first + size))
            if run[-1] >= stop or not all(i in value for i in run):
                continue
            for (whole, rests), (total, chosen) in best[first + size - start].items():
                key = (whole + 1, rests) if size == length else (whole, rests + 1)
                gained = total + sum(value[i] for i in run)
                if key[1] <= 1 and (key not in found or gained > found[key][0]):
                    found[key] = (gained, run + chosen)
    return best[0]


def _sample(
    clip: Clip,
    frames: np.ndarray,
    kept: list[int],
    masked: list[int],
    distractors: list[int],
    alike: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
) -> Sample:
    shown = [i for i in kept if i not in masked and i not in distractors]
    parts = [[i for i in shown if i < masked[0]], [i for i in shown if i > masked[-1]]]
    zero = clip.times[shown[0]]
    clocks = [[clip.times[i] - zero for i in part] for part in parts]
    pool = masked + distractors
    order = rng.permutation(len(pool)).tolist()
    specs = [_part(clip, part, clock) for part, clock in zip(parts, clocks, strict=True)]
    images: list[ImageSpec] = []
    views = _draw_views(frames, kept, pool, difficulty.view, rng)
    for place in order:
        time = clip.times[pool[place]]
        if difficulty.candidates == "image":
            images.append(clip.image_spec(time))
        else:
            specs.append(clip.spec(NAME, views[place], times=[time, time], clock=[0.0, 0.0]))
    answer = "".join(ascii_uppercase[order.index(i)] for i in range(len(masked)))
    details = {
        "gap": [round(clocks[0][-1], 3), round(clocks[1][0], 3)],
        "masked": [round(clip.times[i] - zero, 3) for i in masked],
        "distractors": [round(clip.times[i] - zero, 3) for i in distractors],
        "closest": max(float(alike[i, j]) for i in distractors for j in masked),
    }
    question = _question(clocks, len(masked), len(pool), difficulty)
    return Sample(NAME, question, tuple(specs), answer, details, tuple(images))


def _draw_views(
    frames: np.ndarray, kept: list[int], pool: list[int], side: float, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Draws a view for each frame of the pool in which no other frame of the sequence looks the same. Empty is the
    whole picture.
    """
    if side == 1:
        return [{}] * len(pool)
    light = light_of(frames[kept])
    return [draw_view(frames[[i]], [frames[[j]] for j in kept if j != i], light, side, rng) for i in pool]


def _part(clip: Clip, part: list[int], clock: list[float]) -> VideoSpec:
    return clip.spec(NAME, times=[clip.times[i] for i in part], clock=clock)


def _question(clocks: list[list[float]], masked: int, pool: int, difficulty: Difficulty) -> str:
    hint = "Each shows only a part of the picture, which may be mirrored. " if difficulty.view < 1 else ""
    seconds = [[f"{round(t, 2):g}" for t in clock] for clock in clocks]
    before, after = map(", ".join, seconds)
    letters = ascii_uppercase[:pool]
    shown = "\n".join(f"{letter}: <{difficulty.candidates}>" for letter in letters)
    example = "".join(letters[(3 * i + 1) % pool] for i in range(masked)) if pool % 3 else letters[-masked:][::-1]
    return (
        f"Frames at {before} seconds: <video>\nGap from {seconds[0][-1]} to {seconds[1][0]} seconds: "
        f"{masked} frames are missing here.\nFrames at {after} seconds: <video>\nCandidates:\n{shown}\n"
        f"The {masked} missing frames are among the candidates; the others come from other moments of the same video. "
        f"{hint}Which {masked} candidates fill the gap, in the order of time? Answer only with their {masked} letters "
        f"from the earliest to the latest, without spaces, for example {example}."
    )
