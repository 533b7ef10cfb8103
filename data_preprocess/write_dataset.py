"""Samples -> rows in verl's schema -> parquet, the same bytes for the same rows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SYSTEM_PROMPT = "Answer the question from what you see in the video. Give only the answer, with no explanation."
ROWS_PER_GROUP = 1000

_TEXT, _INT, _SECONDS = pa.string(), pa.int64(), pa.list_(pa.float64())
_VIDEO = pa.struct(
    [
        ("video", _TEXT),
        ("times", _SECONDS),
        ("clock", _SECONDS),
        ("width", _INT),
        ("height", _INT),
        ("min_pixels", _INT),
        ("max_pixels", _INT),
        ("task", _TEXT),
        ("transform", _TEXT),
        ("decoder", _TEXT),
    ]
)
_IMAGE = pa.struct(
    [
        ("image", _TEXT),
        ("time", pa.float64()),
        ("width", _INT),
        ("height", _INT),
        ("min_pixels", _INT),
        ("max_pixels", _INT),
        ("decoder", _TEXT),
    ]
)
_EXTRA = [("index", _INT), ("split", _TEXT), ("task", _TEXT), ("preset", _TEXT), ("difficulty", _TEXT)]
_EXTRA += [
    ("video_id", _TEXT),
    ("look_alike_id", _TEXT),
    ("seed", _INT),
    ("details", _TEXT),
    ("num_prompt_tokens", _TEXT),
]
SCHEMA = pa.schema(
    [
        ("data_source", _TEXT),
        ("prompt", pa.list_(pa.struct([("role", _TEXT), ("content", _TEXT)]))),
        ("videos", pa.list_(_VIDEO)),
        ("images", pa.list_(_IMAGE)),
        ("ability", _TEXT),
        ("reward_model", pa.struct([("style", _TEXT), ("ground_truth", _TEXT)])),
        ("extra_info", pa.struct(_EXTRA)),
    ]
)


def make_row(
    subset: str, content_id: str, look_alike_id: str, sample: dict[str, Any], index: int, split: str, preset: str
) -> dict[str, Any]:
    """A row of the dataset from a drawn sample; `num_prompt_tokens` is still empty.

    `look_alike_id` is the content id that stands for all videos which look like this one.
    What differs in shape between tasks (knobs, details) is JSON text, so that files of all tasks concatenate.
    """
    task = sample["task"]
    return {
        "data_source": f"videossr/{task}" if subset == task else f"videossr/{task}/{subset}",
        "prompt": [
            {"role": "system", "content": SYSTEM_PROMPT},
            {"role": "user", "content": sample["question"]},
        ],
        "videos": sample["videos"],
        "images": sample["images"],
        "ability": "video",
        "reward_model": {"style": "rule", "ground_truth": sample["answer"]},
        "extra_info": {
            "index": index,
            "split": split,
            "task": task,
            "preset": preset,
            "difficulty": compact(sample["knobs"]),
            "video_id": content_id,
            "look_alike_id": look_alike_id,
            "seed": sample["seed"],
            "details": compact(sample["details"]),
            "num_prompt_tokens": "{}",
        },
    }


def write_parquet(rows: Iterable[dict[str, Any]], path: Path) -> str:
    """Writes the rows to `path`, safely on disk when it returns. Returns a fingerprint of the rows'
    content.
    """
    fingerprint = blake2b(digest_size=16)
    rows = iter(rows)
    with open(path, "wb") as file:
        with pq.ParquetWriter(file, SCHEMA, compression="zstd", write_statistics=False) as writer:
            while group := list(islice(rows, ROWS_PER_GROUP)):
                writer.write_table(pa.Table.from_pylist(group, SCHEMA))
                fingerprint.update("".join(compact(row) + "\n" for row in group).encode())
        file.flush()
        os.fsync(file.fileno())
    return fingerprint.hexdigest()


def write_text(text: str, path: Path) -> None:
    """Writes UTF-8 text, safely on disk when it returns."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def compact(data: Any) -> str:
    """JSON on one line with sorted keys."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
