"""The schema of a row: verl's own, with what the tasks need. Makes rows of drawn samples."""

from __future__ import annotations

import json
from typing import NotRequired, TypedDict

import pyarrow as pa

from videossr_verl.tasks.draw import DrawnSample
from videossr_verl.video.specs import ImageItem, VideoItem

SYSTEM_PROMPT = "Answer the question from what you see in the video. Give only the answer, with no explanation."

_TEXT, _INT, _SECONDS, _NUMBERS = pa.string(), pa.int64(), pa.list_(pa.float64()), pa.list_(pa.int64())
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
        ("order", _NUMBERS),
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


class Message(TypedDict):
    """A turn of a prompt; each `<video>` and `<image>` in the text stands for the next of the row's media."""

    role: str
    content: str


class RewardModel(TypedDict):
    """What verl's reward manager takes the label from."""

    style: str
    ground_truth: str


class ExtraInfo(TypedDict):
    """What a row tells beside the question.

    Attributes:
        index: of the row in its split.
        difficulty, details, num_prompt_tokens: JSON objects as text, whose keys differ between tasks and models.
        video_id, look_alike_id: content ids of the video, and of the one that stands for its look-alikes.
        draw: number of the draw, of a row that was drawn while a run trains.
    """

    index: int
    split: str
    task: str
    preset: str
    difficulty: str
    video_id: str
    look_alike_id: str
    seed: int
    details: str
    num_prompt_tokens: str
    draw: NotRequired[int]


class Row(TypedDict):
    """A row of SCHEMA, drawn by this package or looked through by `rows.check`."""

    data_source: str
    prompt: list[Message]
    videos: list[VideoItem]
    images: list[ImageItem]
    ability: str
    reward_model: RewardModel
    extra_info: ExtraInfo


def make_row(
    subset: str, video_id: str, look_alike_id: str, sample: DrawnSample, index: int, split: str, preset: str
) -> Row:
    """Makes a row of the dataset from a drawn sample. `num_prompt_tokens` is still empty.

    `video_id` is the content id of its video, `look_alike_id` the one that stands for all videos which look like it.
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
            "video_id": video_id,
            "look_alike_id": look_alike_id,
            "seed": sample["seed"],
            "details": compact(sample["details"]),
            "num_prompt_tokens": "{}",
        },
    }


def compact(data: object) -> str:
    """Returns JSON on one line with sorted keys."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
