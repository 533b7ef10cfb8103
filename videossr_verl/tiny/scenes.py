"""Endless pretext samples for supervised training of a tiny model, drawn from generated videos held in memory."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from videossr_verl.tasks import get_task
from videossr_verl.tasks.clip import Clip, sample_clip
from videossr_verl.tasks.contract import CannotDraw, Sample
from videossr_verl.tasks.presets import Preset
from videossr_verl.tiny import generated_videos
from videossr_verl.video.decode import decode
from videossr_verl.video.embedding import embed
from videossr_verl.video.probe import probe
from videossr_verl.video.size import target_size


class Scene(NamedTuple):
    """A clip, its frames, uint8 (T, H, W, 3), and what else a task's `draw` takes."""

    clip: Clip
    frames: np.ndarray
    extras: dict[str, np.ndarray]


class Drawn(NamedTuple):
    """A sample, its N videos as they are shown, uint8 (T, H, W, 3), and the knobs that its row would hold."""

    sample: Sample
    videos: list[np.ndarray]
    knobs: dict[str, Any]


Scenes = dict[str, list[Scene]]  # by the preset's subset


def load_scenes(
    folder: Path,
    count: int,
    seed: int,
    preset: Preset,
    factor: int,
    scene: generated_videos.Scene = generated_videos.generate_frames,
) -> Scenes:
    """Returns clips of generated videos with their decoded frames.

    Args:
        folder: where the videos are kept; those that are there are taken as they are.
        factor: H and W become multiples of it (see `families`).
        scene: draws the frames of a video.
    """
    scenes: Scenes = {subset: [] for subset in preset.subsets}
    for path in tqdm(generated_videos.generate_videos(folder, count, seed, scene=scene), desc="scenes", mininterval=5):
        info, loaded = probe(path), {}
        for subset, of_subset in scenes.items():
            settings, knobs = preset.subsets[subset].clip, preset.subsets[subset].difficulty
            if settings not in loaded:
                clip = sample_clip(info, path.name, settings)
                size = target_size(clip.height, clip.width, clip.min_pixels, clip.max_pixels, factor)
                loaded[settings] = clip, decode(path, clip.times, size)
            clip, frames = loaded[settings]
            extras = {"embeddings": embed(frames, knobs.embedding)} if hasattr(knobs, "embedding") else {}
            of_subset.append(Scene(clip, frames, extras))
    return scenes


def draw(scenes: Scenes, preset: Preset, subset: str, rng: np.random.Generator) -> Drawn:
    """Returns a fresh sample of the subset from one of its scenes."""
    of_subset = preset.subsets[subset]
    task = get_task(of_subset.task)
    while True:
        clip, frames, extras = scenes[subset][rng.integers(len(scenes[subset]))]
        try:
            sample = task.draw(clip, frames, of_subset.difficulty, rng, **extras)
        except CannotDraw:
            continue
        at = {time: i for i, time in enumerate(clip.times)}
        shown = [frames[[at[t] for t in spec.times]] for spec in sample.videos]
        videos = [
            task.render(spec.transform, f) if spec.transform else f
            for spec, f in zip(sample.videos, shown, strict=True)
        ]
        return Drawn(sample, videos, asdict(of_subset.difficulty) | {"num_frames": len(clip.times)})
