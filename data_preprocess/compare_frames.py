"""Tells what each kappa would make of one video: which frames stay, which tasks it can carry, and pairs to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.draw import DrawSettings, cut_clip, decode_clips, draw_subset
from videossr_verl.tasks.embedding_cache import cached_embeddings
from videossr_verl.tasks.frames.key_frames import key_frames
from videossr_verl.tasks.frames.look_alikes import likeness
from videossr_verl.tasks.presets import Subset
from videossr_verl.video.probe import VideoRejected
from videossr_verl.video.probe_record import Failure, failure_of, load_info, probe_one

PICTURE_WIDTH = 120
NEAR = 8  # frames: a task's neighbourhood has no pairs further apart


@dataclass(frozen=True)
class Pair:
    """Two frames of a video: their similarity, source times in seconds, and pictures (2, h, w, 3) uint8."""

    video: str
    similarity: float
    times: tuple[float, float]
    pictures: np.ndarray


@dataclass(frozen=True)
class Compared:
    """What was found in one video.

    Attributes:
        frames: T, at the rate of the first subset.
        neighbours: similarities of the T - 1 pairs of neighbours.
        kept: number of frames that de-duplication keeps, by kappa.
        carries: for each (name of a subset, kappa), whether a sample of it can be drawn.
        pairs: one each for the spans from a kappa to the next, the last one to 1; None where there is none.
    """

    frames: int
    neighbours: list[float]
    kept: list[int]
    carries: dict[tuple[str, float], bool]
    pairs: list[Pair | None]


class CompareJob(NamedTuple):
    """The arguments of `compare_frames`."""

    path: str
    video: str
    kappas: Sequence[float]
    subsets: Mapping[tuple[str, float], Subset]
    settings: DrawSettings


def compare_frames(
    path: str,
    video: str,
    kappas: Sequence[float],
    subsets: Mapping[tuple[str, float], Subset],
    settings: DrawSettings,
) -> Compared | Failure:
    """Runs in a worker.

    Args:
        path: where the file is now.
        video: its name.
        kappas: rising.
        subsets: each that is asked about, at each kappa, by (name, kappa); all with one embedding.
        settings: `subsets` the same ones, by `subset_key`.
    Returns:
        What was found, or why the video cannot be used.
    """
    record = probe_one(path, video)
    if isinstance(record, Failure):
        return record
    info = load_info(record, path)
    clips = {subset.clip: cut_clip(info, video, subset.clip) for subset in subsets.values()}
    first, embedding = next((clips[subset.clip], subset.difficulty.embedding) for subset in subsets.values())
    if not isinstance(first, Clip):
        return failure_of(first, path, video)
    try:
        frames = decode_clips(path, [clip for clip in clips.values() if isinstance(clip, Clip)])
    except VideoRejected as error:
        return failure_of(error, path, video)
    carries = {}
    for key, subset in subsets.items():
        clip = clips[subset.clip]
        drawn = draw_subset(subset_key(*key), 1, clip, None, frames[clip], settings) if isinstance(clip, Clip) else []
        carries[key] = any("cannot" not in sample for sample in drawn)
    vectors = cached_embeddings(
        settings.embedding_folder, first, frames[first], embedding, settings.embeddings[embedding]
    )
    alike = likeness(frames[first], vectors)
    return Compared(
        frames=len(alike),
        neighbours=np.diag(alike, 1).tolist(),
        kept=[len(key_frames(alike, 0, kappa, len(alike))) for kappa in kappas],
        carries=carries,
        pairs=_pairs(first, frames[first], alike, kappas),
    )


def subset_key(name: str, kappa: float) -> str:
    """Returns the name of a subset at a kappa, as samples are drawn with it."""
    return f"{name} at {kappa}"


def _pairs(clip: Clip, frames: np.ndarray, alike: np.ndarray, kappas: Sequence[float]) -> list[Pair | None]:
    """Returns the pair nearest to the middle of each span. Pairs of similarity 1 are left out: the eye cannot judge
    them.
    """
    early, late = np.triu_indices(len(alike), 1)
    near = (late - early <= NEAR) & (alike[early, late] < 1)
    early, late = early[near], late[near]
    values, edges = alike[early, late], [*kappas, 1.0]
    pairs: list[Pair | None] = []
    for low, high in pairwise(edges):
        inside = np.flatnonzero((values > low) & (values <= high))
        if not len(inside):
            pairs.append(None)
            continue
        best = inside[np.abs(values[inside] - (low + high) / 2).argmin()]
        both = [int(early[best]), int(late[best])]
        times = (clip.times[both[0]], clip.times[both[1]])
        pairs.append(Pair(clip.video, float(values[best]), times, np.stack([_small(frames[i]) for i in both])))
    return pairs


def _small(frame: np.ndarray) -> np.ndarray:
    height = max(1, round(PICTURE_WIDTH * frame.shape[0] / frame.shape[1]))
    return cv2.resize(np.ascontiguousarray(frame), (PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA)
