"""Builds VIUBench from raw videos: 9 subtypes with as many samples each, from videos that no training set holds.

It uses the generators of training, at the benchmark's settings (presets/viubench.yaml), so that labels have the paper's
distribution. Masked video prediction may stand beside it, in a file of its own.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from data_preprocess.build import BuildSettings, build
from data_preprocess.held_out import known_videos
from data_preprocess.write_dataset import write_text
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.viubench.best_rules import write_best_rules
from videossr_verl.tasks.presets import load_preset

SAMPLES = 300  # of each subtype


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to build.

    Attributes:
        build: sources, out, seed and how to work; preset, counts and mix are the benchmark's own.
        training: datasets of `videossr build`; no video of the corpus may look like one that they train on.
        samples: of each subtype.
        mvp: whether masked video prediction stands beside it, in OUT/mvp.
    """

    build: BuildSettings
    training: tuple[str, ...] = ()
    samples: int = SAMPLES
    mvp: bool = False


def build_viubench(settings: BenchmarkSettings) -> dict[str, Any]:
    """Builds OUT/viubench (and OUT/mvp), and OUT/viubench.json, which it returns: settings, counts, hashes.

    Beside VIUBench's questions stand the answers of rules without learning (`evaluate.viubench.best_rules`).

    Raises:
        BadInput: a video of the corpus is in a training set; or as `build`.
    """
    if settings.samples < 1:
        raise BadInput(f"samples is {settings.samples}, must be at least 1")
    out = Path(settings.build.out)
    training = tuple(map(_rows_trained_on, settings.training))
    checked = len(known_videos(training))
    seed = settings.build.seed
    content: dict[str, Any] = {"seed": seed, "training_videos_checked": checked, "files": {}, "parts": {}}
    for name, preset in (("viubench", "viubench"), ("mvp", "viubench_mvp")):
        if name == "mvp" and not settings.mvp:
            continue
        mix = {subset: float(settings.samples) for subset in load_preset(preset).subsets}
        embedding = settings.build.embedding if name == "mvp" else None
        part = replace(settings.build, out=str(out / name), preset=preset, mix=mix, test_share=1.0, embedding=embedding)
        try:
            made = build(replace(part, held_out_from=training, refuse_known=True))
        except BadInput:
            with suppress(OSError):  # the folder holds what was built before
                out.rmdir()
            raise
        content["parts"][name] = {subset: numbers["samples"]["test"] for subset, numbers in made["tasks"].items()}
        file = out / name / "test.parquet"
        if name == "viubench":
            write_best_rules(file.parent, made["data_root"], part.workers or len(os.sched_getaffinity(0)))
        content["files"][f"{name}/test.parquet"] = sha256(file.read_bytes()).hexdigest()
    write_text(json.dumps(content, indent=2) + "\n", out / "viubench.json")
    return content


def _rows_trained_on(dataset: str) -> str:
    return os.path.join(dataset, "train.parquet") if os.path.isdir(dataset) else dataset
