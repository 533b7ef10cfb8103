"""Draws the samples of one video: decodes what the tasks' clips need once, then draws all samples of all tasks from
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, TypedDict

import numpy as np

from videossr_verl.families import factors, qwen2_5_vl
from videossr_verl.tasks import get_task
from videossr_verl.tasks.clip import Clip, ClipSettings, sample_clip
from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.embedding_cache import cached_embeddings
from videossr_verl.tasks.presets import Subset
from videossr_verl.tasks.seeds import digest, rng, sample_seed
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import VideoInfo, VideoRejected
from videossr_verl.video.probe_record import Failure, ProbeRecord, failure_of, load_info
from videossr_verl.video.size import target_size
from videossr_verl.video.specs import ImageItem, VideoItem

# If so many draws fail before any succeeds, this clip cannot carry the task.
GIVE_UP_AFTER = 3


@dataclass(frozen=True)
class DrawSettings:
    """Everything that a sample depends on, besides the video and its index.

    Attributes:
        seed: of the dataset.
        subsets: by name.
        embeddings: what each embedding that a task asks for is (see `describe_embedding`), by name.
        embedding_folder: where embeddings are kept, None: nowhere; no sample depends on it.
        use_gpus: whether embeddings may use a GPU; False where models train on them.
    """

    seed: int
    subsets: Mapping[str, Subset]
    embeddings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    embedding_folder: str | None = None
    use_gpus: bool = True


class DrawnSample(TypedDict):
    """A sample as JSON data, as it travels between processes and is stored; see `tasks.contract.Sample`."""

    task: str
    question: str
    videos: list[VideoItem]
    images: list[ImageItem]
    answer: str
    details: dict[str, Any]
    knobs: dict[str, Any]
    seed: int
    hash: str


class NotDrawn(TypedDict):
    """Why there is no such sample: a clause, and one word for reports that count."""

    cannot: str
    reason: str


DrawnBySubset = dict[str, list[DrawnSample | NotDrawn]]  # subset -> for each index


class Lender(NamedTuple):
    """Another video, whose frames changes may borrow: its path in the rows, and what `probe_one` gave for it."""

    video: str
    record: ProbeRecord


class DrawJob(NamedTuple):
    """The arguments of `draw_samples`."""

    path: str
    video: str
    record: ProbeRecord
    settings: DrawSettings
    counts: Mapping[str, int]
    lender: Lender | None = None


def draw_samples(
    path: str,
    video: str,
    record: ProbeRecord,
    settings: DrawSettings,
    counts: Mapping[str, int],
    lender: Lender | None = None,
) -> DrawnBySubset | Failure:
    """Runs in a worker. Draws `counts` samples of each subset from one video.

    Args:
        path: where the file is now.
        video: its path in the rows, relative to the data root.
        record: what `probe_one` gave for it.
        lender: another video, for changes that borrow frames.
    Returns:
        The samples, or why the video cannot be used.
    """
    whole, other = load_info(record, path), load_info(lender.record, lender.video) if lender else None
    wanted = {name: subset.clip for name, subset in settings.subsets.items()}
    clips = {cut: cut_clip(whole, video, cut) for cut in dict.fromkeys(wanted.values())}
    needed = [clips[cut] for cut in dict.fromkeys(wanted[name] for name in counts)]
    try:
        failed = [clip for clip in clips.values() if isinstance(clip, VideoRejected)]
        if len(failed) == len(clips):
            raise failed[0]
        frames = decode_clips(path, [clip for clip in needed if isinstance(clip, Clip)])
    except VideoRejected as error:
        return failure_of(error, path, video)
    drawn: DrawnBySubset = {}
    for name, count in sorted(counts.items()):
        clip = clips[wanted[name]]
        if isinstance(clip, VideoRejected):
            why = failure_of(clip, path, video)
            drawn[name] = [{"cannot": why.detail, "reason": why.reason}] * count
            continue
        other_clip = cut_clip(other, other.path, wanted[name]) if other else None
        partner = other_clip if isinstance(other_clip, Clip) else None
        drawn[name] = draw_subset(name, count, clip, partner, frames[clip], settings)
    return drawn


def cut_clip(info: VideoInfo, video: str, settings: ClipSettings) -> Clip | VideoRejected:
    """Returns the clip, or why there is none. Its shape is one that all installed families of models can be shown."""
    try:
        clip = sample_clip(info, video, settings)
        for factor in factors():
            target_size(clip.height, clip.width, clip.min_pixels, clip.max_pixels, factor)
        return clip
    except VideoRejected as error:
        return error


def decode_clips(path: str, clips: Sequence[Clip]) -> dict[Clip, np.ndarray]:
    """Returns the frames of each clip, read-only: a task that changed them would change the next sample."""
    by_size: dict[tuple[tuple[int, int], str], list[Clip]] = {}
    for clip in clips:
        # Changes are judged at one size, whatever is installed.
        size = target_size(clip.height, clip.width, clip.min_pixels, clip.max_pixels, qwen2_5_vl.FACTOR)
        by_size.setdefault((size, clip.decoder), []).append(clip)
    frames = {}
    for (size, decoder), group in by_size.items():
        times = sorted({time for clip in group for time in clip.times})
        decoded = decode(path, times, size, decoder)
        for clip in group:
            chosen = np.searchsorted(times, clip.times)
            frames[clip] = decoded if len(chosen) == len(times) else decoded[chosen]
            frames[clip].setflags(write=False)
    return frames


def draw_subset(
    name: str, count: int, clip: Clip, other: Clip | None, frames: np.ndarray, settings: DrawSettings
) -> list[DrawnSample | NotDrawn]:
    """Returns `count` samples of the subset `name` from the clip and its frames, or for each why there is none."""
    subset = settings.subsets[name]
    module, difficulty, knobs = get_task(subset.task), subset.difficulty, asdict(subset.difficulty)
    cut = {
        knob: value for knob, value in asdict(subset.clip).items() if knob != "decoder"
    }  # a task asks for nothing else
    extras = {}
    if (embedding := getattr(difficulty, "embedding", None)) is not None:
        what, folder = settings.embeddings[embedding], settings.embedding_folder
        extras["embeddings"] = cached_embeddings(folder, clip, frames, embedding, what, settings.use_gpus)
    drawn: list[DrawnSample | NotDrawn] = []
    for index in range(count):
        if index >= GIVE_UP_AFTER and all("cannot" in sample for sample in drawn):
            return drawn + [drawn[-1]] * (count - index)
        seed = sample_seed(settings.seed, clip.content_id, name, knobs | {"clip": cut}, index)
        try:
            sample = module.draw(clip, frames, difficulty, rng(seed), other, **extras)
        except CannotDraw as error:
            drawn.append({"cannot": str(error), "reason": error.reason})
            continue
        videos, images = [spec.to_row() for spec in sample.videos], [spec.to_row() for spec in sample.images]
        drawn.append(
            {
                "task": subset.task,
                "question": sample.question,
                "videos": videos,
                "images": images,
                "answer": sample.answer,
                "details": dict(sample.details),
                "knobs": knobs | {"num_frames": len(clip.times)},
                "seed": seed,
                "hash": digest(sample.question, videos, images),
            }
        )
    return drawn
