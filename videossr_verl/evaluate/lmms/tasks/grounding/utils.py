"""Temporal grounding on the original labels: QVHighlights val, ActivityNet Captions val, TACoS test.

lmms-eval has Charades-STA, and timelens_* with other labels. The prompt is VideoSSR's (Fig. 8), which is also that of
lmms-eval's Charades task. As there, the first interval of an answer counts. An answer that cannot be read earns 0. If a
query has several windows, the nearest one counts, as in QVHighlights' own evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
import numpy as np
from lmms_eval.tasks.charades_sta.utils import extract_time  # pyright: ignore[reportMissingImports]  # of another environment

from videossr_verl.evaluate.lmms.local_rows import annotation, as_dataset, read_json, read_json_lines, video_of

Doc = Mapping[str, Any]
PROMPT = (
    "Please find the visual event described by a sentence in the video, determining its starting and ending times. "
    "The format should be: 'The event happens in the start time - end time'. For example, The event 'person turn a "
    "light on' happens in the 24.3 - 30.4 seonds. Now I will give you the textual sentence: {query} Please return its "
    "start time and end time."
)  # the typing error is the paper's and lmms-eval's
THRESHOLDS = {"R1@0.3": 0.3, "R1@0.5": 0.5, "R1@0.7": 0.7}


def load_qvhighlights(_: datasets.Dataset) -> datasets.Dataset:
    """Returns highlight_val_release.jsonl of github.com/jayleicn/moment_detr."""
    rows = read_json_lines(annotation("qvhighlights", "highlight_val_release.jsonl"))
    return as_dataset(_row("qvhighlights", r["vid"], r["query"], r["relevant_windows"]) for r in rows)


def load_activitynet(_: datasets.Dataset) -> datasets.Dataset:
    """Yields val_2.json of ActivityNet Captions, or val_1.json where that is all there is."""
    videos = read_json(annotation("activitynet", "val_2.json", "val_1.json"))

    def rows() -> Iterator[dict[str, Any]]:
        for name, video in sorted(videos.items()):
            for sentence, window in zip(video["sentences"], video["timestamps"], strict=True):
                yield _row("activitynet", name, sentence, [window])

    return as_dataset(rows())


def load_tacos(_: datasets.Dataset) -> datasets.Dataset:
    """Returns tacos/test.jsonl of huggingface.co/datasets/yeliudev/VideoMind-Dataset."""
    rows = read_json_lines(annotation("tacos", "test.jsonl"))
    return as_dataset(_row("tacos", f"{r['vid']}-cam-002", r["query"], r["relevant_windows"]) for r in rows)


def _row(benchmark: str, video: str, query: str, windows: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {
        "benchmark": benchmark,
        "video": video,
        "query": " ".join(query.split()),
        "windows": [[float(start), float(end)] for start, end in windows],
    }


def doc_to_text(doc: Doc, lmms_eval_specific_kwargs: Any = None) -> str:
    """Returns the question."""
    return PROMPT.format(query=doc["query"])


def doc_to_target(doc: Doc) -> str:
    """Returns the windows."""
    return str(doc["windows"])


def doc_to_messages(doc: Doc, lmms_eval_specific_kwargs: Any = None) -> list[dict[str, Any]]:
    """Returns the video, then the question."""
    video = {"type": "video", "url": video_of(doc["benchmark"], doc["video"])}
    return [{"role": "user", "content": [video, {"type": "text", "text": doc_to_text(doc)}]}]


def process_results(doc: Doc, results: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns mIoU, recall at three thresholds, and whether an interval was found; in percent."""
    try:
        spans = extract_time(results[0])
    except (ValueError, IndexError):
        spans = []
    iou = max((_iou(spans[0], window) for window in doc["windows"]), default=0.0) if spans else 0.0
    figures = {"mIoU": iou, "parsed": float(bool(spans))} | {name: float(iou >= t) for name, t in THRESHOLDS.items()}
    return {name: {"score": 100 * value, "video": doc["video"]} for name, value in figures.items()}


def mean(payloads: Sequence[Mapping[str, Any]]) -> float:
    """Returns the plain mean over the questions."""
    return float(np.mean([payload["score"] for payload in payloads]))


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    union = max(a[1], b[1]) - min(a[0], b[0])
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0])) / union if union > 0 else 0.0
