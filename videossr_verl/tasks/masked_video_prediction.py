"""Masked video prediction: which frames fill the gap, and in which order? (MVP, arXiv 2601.03781.)

Game        A clip's frames, 1 a second (more in short videos) and without look-alikes, lose one run of K key frames.
            The model sees the frames before and after the gap and a shuffled pool: the K true frames and l distractors
            of the same video.
Prompt      Two videos with the gap and its place in time between them, then the candidates "A: ..." to the last, then
            the question. The time of every frame is written, since Qwen2.5-VL's own clock restarts with each video and
            has even steps; the second part's goes on (Qwen3-VL is told it as `<t seconds>` too).
Label       "CAFD": the K letters in temporal order.
Reward      Half for choosing, half for ordering (reward_fns.masked_video_prediction).
Chance      0.40 for any answer of 4 labels with K = l = 4 (preset mvp).
Knobs       num_key_frames: N, shown and masked ones together; num_masked: K; num_distractors: l; embedding: what tells
            whether two frames look alike (`video.embedding`), beside their pixels (`video.look_alikes`); kappa: frames
            more alike than this are one frame, None for the embedding's own value (`videossr calibrate` shows what it
            means); radius: distractors come from so many key frames beyond each edge of the gap; hardness: 0 draws them
            at random, 1 takes those most like a true frame, in between a mixture of the two ranks; min_context: frames
            shown on each side, at least; candidates: "video" or "image".
            Presets: mvp; mvp_short (2 masked of 3, for videos of some seconds); mvp_easy (2 masked of 4); mvp_hard (6
            of 16) and mvp_harder (8 of 24), whose distractors are the nearby frames that are most like a true one.

From the paper: 1 frame a second from a random start, greedy de-duplication by CLIP similarity against the last kept
frame, one masked run, distractors from the same neighbourhood of the same video, GRPO. Ours, since the paper is not
public on it: every number above, the prompt, and these rules, which keep the label right:
- De-duplication goes on until N + l frames are kept. The distractors are l of them, taken out of the sequence
  with all their look-alikes, so they are as near and as distinct as true frames; nothing else tells the two apart.
- The frames at both edges of the gap are shown, and its place in time is told by theirs: no distractor lies in it.
- A candidate looks like no other frame of the sequence, neither by the embedding (above kappa) nor in its pixels: not
  like another candidate, which would be a second right answer, nor like a frame that is shown. Look-alikes inside the
  gap are used nowhere.
- What is left is N frames, de-duplicated still: neighbours that would look alike without a distractor rule it out.
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

from videossr_verl.sample import CannotDraw, ImageSpec, Sample, VideoSpec
from videossr_verl.video.embedding import BUILT_IN, default_kappa
from videossr_verl.video.key_frames import key_frames
from videossr_verl.video.look_alikes import likeness
from videossr_verl.video.rejected import RejectReason
from videossr_verl.video.sampling import Clip

NAME = "masked_video_prediction"
# What the task asks of a clip, whatever the preset's other tasks show: the paper's rate, at most the first 4 minutes.
# Ours: videos of less than 40 seconds are shown faster, up to 8 a second, so that they have frames to choose from.
CLIP = {"num_frames": 256, "fps": (1.0, 8.0), "min_frames": 40, "margin": 0.0}

_CLIP_MODEL = "openai/clip-vit-base-patch32"
_TRIES = 100


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
    min_context: int = 2
    candidates: str = "video"

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
        if self.min_context < 2 or 2 * (self.min_context + self.min_context % 2) > context:
            raise ValueError(
                f"min_context must be at least 2, and both sides fit into the {context} shown frames, got "
                f"{self.min_context}"
            )
        if self.kappa is not None and not 0 < self.kappa < 1:
            raise ValueError(f"kappa must be between 0 and 1, or None, got {self.kappa}")
        if self.radius < 1:
            raise ValueError(f"radius must be at least 1 key frame, got {self.radius}")
        if not 0 <= self.hardness <= 1:
            raise ValueError(f"hardness must be from 0 to 1, got {self.hardness}")
        if self.candidates not in ("video", "image"):
            raise ValueError(f"candidates must be 'video' or 'image', got '{self.candidates}'")


PRESETS = {
    "mvp": Difficulty(embedding=_CLIP_MODEL),
    "mvp_short": Difficulty(embedding=_CLIP_MODEL, num_key_frames=6, num_masked=2, num_distractors=1),
    "mvp_easy": Difficulty(embedding=_CLIP_MODEL, num_masked=2, num_distractors=2, radius=16, hardness=0),
    "mvp_hard": Difficulty(
        embedding=_CLIP_MODEL, num_key_frames=24, num_masked=6, num_distractors=10, radius=10, hardness=1
    ),
    "mvp_harder": Difficulty(
        embedding=_CLIP_MODEL, num_key_frames=32, num_masked=8, num_distractors=16, radius=12, hardness=1
    ),
}


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
    embeddings: np.ndarray | None = None,
) -> Sample:
    """Choose the sequence, the gap and the distractors.

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: not used.
        embeddings: (T, D) of the frames, by `difficulty.embedding`.

    Raises:
        CannotDraw: too_few_frames or too_little_change: fewer than N + l (different) ones; cannot_draw: no gap and
            distractors keep the rules.
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
            return _sample(clip, kept, masked, distractors, alike, difficulty, rng)
    raise CannotDraw(
        f"among {len(kept)} key frames no gap of {difficulty.num_masked} has {difficulty.num_distractors} distractors "
        f"within {difficulty.radius} that look like no other frame (kappa {kappa:g})"
    )


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """A copy of the frames (T, H, W, 3): they are shown as they are; `transform` is empty."""
    return frames.copy()


def _sequence(alike: np.ndarray, kappa: float, difficulty: Difficulty, rng: np.random.Generator) -> list[int]:
    """N + l frames that differ from the one before, from a random start among those that leave enough."""
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
    """Places of the gap and of the distractors in the sequence, from its similarities; None if this gap has none."""
    count, length = len(alike), difficulty.num_masked
    apart = alike - 2 * np.eye(count)
    distinct = apart.max(axis=1) <= kappa
    start = int(rng.integers(difficulty.min_context, count - length - difficulty.min_context + 1))
    masked = list(range(start, start + length))
    # The frames at the gap's edges are shown: the gap reaches from one to the other, and no distractor lies in it.
    near = [*range(max(0, start - 1 - difficulty.radius), start - 1)]
    near += range(start + length + 1, min(count, start + length + 1 + difficulty.radius))
    eligible = [i for i in near if distinct[i]]
    noise = rng.permutation(len(eligible))
    if not distinct[masked].all() or len(eligible) < difficulty.num_distractors:
        return None
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
    """The most valuable distractors that leave an even number of frames, and enough, before and after the gap."""
    ranked = sorted(value, key=lambda i: (-value[i], i))
    before, after = ([i for i in ranked if (i < start) is early] for early in (True, False))
    best: tuple[float, list[int]] | None = None
    for early in range(difficulty.num_distractors + 1):
        late = difficulty.num_distractors - early
        sides = (start - early, count - start - length - late)
        if early > len(before) or late > len(after) or sides[0] % 2 or min(sides) < difficulty.min_context:
            continue
        chosen = before[:early] + after[:late]
        total = sum(value[i] for i in chosen)
        if best is None or total > best[0]:
            best = (total, chosen)
    return sorted(best[1]) if best else None


def _sample(
    clip: Clip,
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
    for place in order:
        time = clip.times[pool[place]]
        if difficulty.candidates == "image":
            images.append(clip.image_spec(time))
        else:
            specs.append(clip.spec(NAME, times=[time, time], clock=[0.0, 0.0]))
    answer = "".join(ascii_uppercase[order.index(i)] for i in range(len(masked)))
    details = {
        "gap": [round(clocks[0][-1], 3), round(clocks[1][0], 3)],
        "masked": [round(clip.times[i] - zero, 3) for i in masked],
        "distractors": [round(clip.times[i] - zero, 3) for i in distractors],
        "closest": max(float(alike[i, j]) for i in distractors for j in masked),
    }
    question = _question(clocks, len(masked), len(pool), difficulty.candidates)
    return Sample(NAME, question, tuple(specs), answer, details, tuple(images))


def _part(clip: Clip, part: list[int], clock: list[float]) -> VideoSpec:
    return clip.spec(NAME, times=[clip.times[i] for i in part], clock=clock)


def _question(clocks: list[list[float]], masked: int, pool: int, candidates: str) -> str:
    told = [[f"{round(t, 2):g}" for t in clock] for clock in clocks]
    before, after = map(", ".join, told)
    letters = ascii_uppercase[:pool]
    shown = "\n".join(f"{letter}: <{candidates}>" for letter in letters)
    example = "".join(letters[(3 * i + 1) % pool] for i in range(masked)) if pool % 3 else letters[-masked:][::-1]
    return (
        f"Frames at {before} seconds: <video>\nGap from {told[0][-1]} to {told[1][0]} seconds: "
        f"{masked} frames are missing here.\nFrames at {after} seconds: <video>\nCandidates:\n{shown}\n"
        f"The {masked} missing frames are among the candidates; the others come from other moments of the same video. "
        f"Which {masked} candidates fill the gap, in the order of time? Answer only with their {masked} letters from "
        f"the earliest to the latest, without spaces, for example {example}."
    )
