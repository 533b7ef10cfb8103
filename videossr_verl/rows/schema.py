"""The schema of a row: verl's own, with what the tasks need. Makes rows of drawn samples."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

SYSTEM_PROMPT = "Answer the question from what you see in the video. Give only the answer, with no explanation."

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
    """Makes a row of the dataset from a drawn sample. `num_prompt_tokens` is still empty.

    `look_alike_id` is the content id that stands for all videos that look like this one. Fields whose shape differs
    between tasks (knobs, details) are JSON text, so that files of all tasks can be concatenated.
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


def compact(data: Any) -> str:
    """Returns JSON on one line with sorted keys."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
