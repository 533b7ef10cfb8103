"""VIUBench from raw videos: 9 subtypes with as many samples each, from videos that no training set holds.

The same generators as for training, at the benchmark's settings (presets/viubench.yaml), so that the paper's
label distribution is theirs. Masked video prediction may stand beside it, in a file of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_preprocess.build import BuildSettings, build
from data_preprocess.corpus import find_videos
from data_preprocess.presets import load_preset
from data_preprocess.write_dataset import write_text
from videossr_verl.dataset_folder import read_rows
from videossr_verl.errors import BadInput
from videossr_verl.video.probe import VideoRejected, content_id

SAMPLES = 300  # of each subtype


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to build.

    Attributes:
        build: sources, out, seed and how to work; preset, counts and mix are the benchmark's own.
        training: datasets of `videossr build` whose videos must not be in the corpus.
        samples: of each subtype.
        mvp: whether masked video prediction stands beside it, in OUT/mvp.
    """

    build: BuildSettings
    training: tuple[str, ...] = ()
    samples: int = SAMPLES
    mvp: bool = False


def build_viubench(settings: BenchmarkSettings) -> dict[str, Any]:
    """Builds OUT/viubench (and OUT/mvp), and OUT/viubench.json, which it returns: settings, counts, hashes.

    Raises:
        BadInput: a video of the corpus is in a training set; or as `build`.
    """
    if settings.samples < 1:
        raise BadInput(f"samples is {settings.samples}, must be at least 1")
    out = Path(settings.build.out)
    checked = _refuse_training_videos(settings)
    told: dict[str, Any] = {"seed": settings.build.seed, "training_videos_checked": checked, "files": {}, "parts": {}}
    for name, preset in (("viubench", "viubench"), ("mvp", "viubench_mvp")):
        if name == "mvp" and not settings.mvp:
            continue
        mix = {subset: float(settings.samples) for subset in load_preset(preset).subsets}
        embedding = settings.build.embedding if name == "mvp" else None
        part = replace(settings.build, out=str(out / name), preset=preset, mix=mix, test_share=1.0, embedding=embedding)
        made = build(part)
        told["parts"][name] = {subset: numbers["samples"]["test"] for subset, numbers in made["tasks"].items()}
        file = out / name / "test.parquet"
        told["files"][f"{name}/test.parquet"] = sha256(file.read_bytes()).hexdigest()
    write_text(json.dumps(told, indent=2) + "\n", out / "viubench.json")
    return told


def _refuse_training_videos(settings: BenchmarkSettings) -> int:
    """How many training videos the corpus was compared with; BadInput if it holds one, under whatever name."""
    training = set().union(*map(_video_ids, settings.training))
    if not training:
        return 0
    corpus = find_videos(settings.build.sources, settings.build.data_root)
    bar = tqdm(corpus.videos, "compare with training videos", unit="video")
    shared = [video for video in bar if _content_id(corpus.path(video)) in training]
    if shared:
        raise BadInput(
            f"{len(shared)} of {len(corpus.videos)} videos are training videos too, first '{shared[0]}': a benchmark "
            "must not be made of what was trained on; give other videos"
        )
    return len(training)


def _video_ids(dataset: str) -> set[str]:
    path = Path(dataset)
    file = path / "train.parquet" if path.is_dir() else path
    return {row["extra_info"]["video_id"] for row in read_rows(file)}


def _content_id(path: str) -> str | None:
    try:
        return content_id(path)
    except (OSError, VideoRejected):  # the build says what is wrong with it
        return None
