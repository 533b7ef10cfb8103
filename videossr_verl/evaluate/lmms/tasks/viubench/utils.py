"""VIUBench and masked video prediction as lmms-eval tasks, read, asked and scored by the code that trains.

The benchmark is that of `videossr viubench build DIR`, named by the environment: VIUBENCH=DIR. lmms-eval gives a task
no way to take a path, so each task loads a file of one line, which `process_docs` replaces.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from PIL import Image

from reward_fns import compute_metric, compute_score
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.lmms.video_file import video_file
from videossr_verl.evaluate.questions import read_questions
from videossr_verl.evaluate.viubench.score import COLUMNS, GROUPS, grade
from videossr_verl.families import qwen2_5_vl
from videossr_verl.prompt.render import render, resolve_path
from videossr_verl.prompt.tokens import content_parts
from videossr_verl.rows.dataset_folder import stored_data_root
from videossr_verl.rows.schema import Row
from videossr_verl.video.specs import ImageSpec, VideoSpec

MVP_METRICS = {name: name for name in ("metric", "selection", "order", "parsed")} | {"reward": "score", "exact": "acc"}


def load_viubench(_: datasets.Dataset) -> datasets.Dataset:
    """Returns the questions of VIUBench."""
    return _load("viubench")


def load_mvp(_: datasets.Dataset) -> datasets.Dataset:
    """Returns the questions of masked video prediction beside it."""
    return _load("mvp")


def doc_to_messages(doc: Row, lmms_eval_specific_kwargs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Returns the row's messages. For `--model videossr` media are specs, whose frames keep their times, else files or
    images.
    """
    root = _data_root(_part(doc))
    specs = {
        "video": iter([_absolute(VideoSpec.from_row(video), root) for video in doc["videos"]]),
        "image": iter([_absolute(ImageSpec.from_row(image), root) for image in doc["images"]]),
    }

    def part(piece: Mapping[str, str]) -> dict[str, Any]:
        if piece["type"] == "text":
            return {"type": "text", "text": piece["text"]}
        spec = next(specs[piece["type"]])
        return {"type": piece["type"], "url": spec} if lmms_eval_specific_kwargs["media"] == "specs" else _as_file(spec)

    return [{"role": m["role"], "content": [part(p) for p in content_parts(m["content"])]} for m in doc["prompt"]]


def doc_to_text(doc: Row, lmms_eval_specific_kwargs: Mapping[str, str] | None = None) -> str:
    """Returns the question."""
    return doc["prompt"][-1]["content"]


def doc_to_target(doc: Row) -> str:
    """Returns the answer."""
    return doc["reward_model"]["ground_truth"]


def score_viubench(doc: Row, results: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns what the answer earns in percent, under its column, its group and All."""
    subset, graded = grade(doc, results[0])
    column = COLUMNS[subset]
    payload = {"score": 100 * graded.value, "subset": subset, "video_id": graded.video}
    group = next(name for name, columns in GROUPS.items() if column in columns)
    unread = payload | {"score": 100.0 * (not graded.was_read)}
    return {column: payload, group: payload, "All": payload, "unread": unread}


def score_mvp(doc: Row, results: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns the published metric, the reward and its parts in percent, and what the best blind guess earns."""
    asked = (doc["data_source"], results[0], doc_to_target(doc), doc["extra_info"])
    result = compute_score(*asked) | {"metric": compute_metric(*asked)[0]}
    where = {"subset": doc["data_source"].split("/")[-1], "video_id": doc["extra_info"]["video_id"]}
    figures = {name: result[key] for name, key in MVP_METRICS.items()} | {"chance": result["chance"]}
    return {name: {"score": 100.0 * value, **where} for name, value in figures.items()}


def mean_of_subsets(payloads: Sequence[Mapping[str, Any]]) -> float:
    """Returns the plain mean of the subsets' means: for a column its mean, for All what the paper calls Overall."""
    subsets: dict[str, list[float]] = {}
    for payload in payloads:
        subsets.setdefault(payload["subset"], []).append(payload["score"])
    return float(np.mean([np.mean(scores) for scores in subsets.values()]))


def mean(payloads: Sequence[Mapping[str, Any]]) -> float:
    """Returns the plain mean over the questions."""
    return float(np.mean([payload["score"] for payload in payloads]))


def _as_file(spec: VideoSpec | ImageSpec) -> dict[str, Any]:
    if isinstance(spec, ImageSpec):
        return {"type": "image", "url": render([], [spec], "/", qwen2_5_vl.FACTOR)[1][0]}
    if spec.clock[0] == spec.clock[-1]:  # a candidate of masked video prediction is one frame, shown twice
        ((frames, _),), _ = render([spec], [], "/", qwen2_5_vl.FACTOR)
        return {"type": "image", "url": Image.fromarray(frames[0].permute(1, 2, 0).numpy())}
    return {"type": "video", "url": video_file(spec, _folder() / "rendered")}


def _folder() -> Path:
    folder = os.environ.get("VIUBENCH")
    if not folder or not (Path(folder) / "viubench.json").is_file():
        # lmms-eval tries anything else again for minutes, and hides its message.
        sys.exit(f"VIUBENCH='{folder or ''}' is not a folder of `videossr viubench build`: set it to one")
    return Path(folder).resolve()


def _load(part: str) -> datasets.Dataset:
    file = _folder() / part / "test.parquet"
    if not file.is_file():
        sys.exit(f"{file} is not there: build the benchmark with --mvp")
    try:
        return datasets.Dataset.from_list(list(map(dict, read_questions(file))))
    except BadInput as error:
        sys.exit(str(error))


def _part(doc: Row) -> str:
    return "viubench" if doc["data_source"].split("/")[-1] in COLUMNS else "mvp"


def _data_root(part: str) -> str:
    if given := os.environ.get("VIUBENCH_VIDEOS"):
        return given
    try:
        return stored_data_root(_folder() / part)
    except BadInput as error:
        sys.exit(f"{error} (here: VIUBENCH_VIDEOS=DIR)")


def _absolute(spec: Any, root: str) -> Any:
    """Returns the spec with paths relative to "/"."""

    def absolute(video: str) -> str:
        return str(resolve_path(video, root)).lstrip("/")

    transform = getattr(spec, "transform", {})
    if "source" not in transform:
        return replace(spec, video=absolute(spec.video))
    source = json.loads(json.dumps(transform["source"])) | {"video": absolute(transform["source"]["video"])}
    return replace(spec, video=absolute(spec.video), transform={**transform, "source": source})
