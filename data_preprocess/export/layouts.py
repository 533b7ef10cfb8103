"""Rows as other trainers read them: what each layout makes of a row of ours and of its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from data_preprocess.export.media import Media, VideoFiles
from videossr_verl.errors import BadInput
from videossr_verl.prompt.tokens import content_parts
from videossr_verl.rows.schema import Message, Row

Fields = dict[str, Any]
Place = Callable[[str], str]  # a file of the export -> how rows name it


class Layout(NamedTuple):
    """A way to write rows.

    Attributes:
        row: makes one of ours theirs. Raises BadInput for a row that the trainer cannot read.
        write: writes a split's rows into a folder.
    """

    row: Callable[[Row, Media, Place], Fields]
    write: Callable[[Path, str, Sequence[Fields]], None]


def _verl(row: Row, media: Media, place: Place) -> Fields:
    """verl's own `RLHFDataset`, which reads videos by qwen-vl-utils: all frames, at the size that they have."""
    return {
        "data_source": row["data_source"],
        "prompt": row["prompt"],
        "videos": [_qwen_video(video, place) for video in media.videos],
        "images": [{"image": place(image.file), **_unresized(image.size)} for image in media.images],
        "ability": row["ability"],
        "reward_model": row["reward_model"],
        "extra_info": row["extra_info"],
    }


def _easyr1(row: Row, media: Media, place: Place) -> Fields:
    """EasyR1, which has no system message, and reads the videos of a prompt or its images."""
    if media.videos and media.images:
        raise BadInput(
            f"EasyR1 reads videos or images of a prompt, and {_named(row)} has both: export other tasks, with --task"
        )
    problem = "\n".join(message["content"] for message in row["prompt"])
    return {"problem": problem, "answer": _truth(row), **_files(media, place), **_for_rewards(row)}


def _ms_swift(row: Row, media: Media, place: Place) -> Fields:
    """ms-swift's standard layout; all further columns come to its reward functions."""
    return {
        "messages": [dict(message) for message in row["prompt"]],
        **_files(media, place),
        "solution": _truth(row),
        **_for_rewards(row),
    }


def _trl(row: Row, media: Media, place: Place) -> Fields:
    """TRL's `GRPOTrainer`, which reads images only: each frame of a video is one, after its time."""
    videos, images, shown = iter(media.videos), iter(media.images), []

    def parts(message: Message) -> list[Fields]:
        found: list[Fields] = []
        for part in content_parts(message["content"]):
            if part["type"] == "text":
                found.append(part)
                continue
            files, times = ([next(images).file], [None]) if part["type"] == "image" else _frames(row, next(videos))
            for file, time in zip(files, times, strict=True):
                shown.append(place(file))
                found += [] if time is None else [{"type": "text", "text": f"<{time:.1f} seconds>"}]
                found.append({"type": "image"})
        return found

    prompt = [{"role": message["role"], "content": parts(message)} for message in row["prompt"]]
    return {"prompt": prompt, "images": shown, "solution": _truth(row), **_for_rewards(row)}


def _llama_factory(row: Row, media: Media, place: Place) -> Fields:
    """LLaMA-Factory's ShareGPT layout with the right answer as the assistant's."""
    answer = {"role": "assistant", "content": _truth(row)}
    return {"messages": [*map(dict, row["prompt"]), answer], **_files(media, place)}


def _files(media: Media, place: Place) -> Fields:
    videos = [[place(file) for file in video.files] for video in media.videos]
    return {
        "videos": [files[0] if video.one_file else files for files, video in zip(videos, media.videos, strict=True)],
        "images": [place(image.file) for image in media.images],
    }


def _qwen_video(video: VideoFiles, place: Place) -> Fields:
    """What qwen-vl-utils needs to give all frames, at their rate and size."""
    if video.one_file:
        return {"video": place(video.files[0]), "nframes": len(video.times), **_unresized(video.size)}
    height, width = video.size
    # It makes frames that come one by one fit patches of twice the size (0.0.14), and then as large as this says.
    size = {"resized_height": height, "resized_width": width}
    return {"video": [place(file) for file in video.files], "sample_fps": video.rate, "raw_fps": video.rate, **size}


def _unresized(size: tuple[int, int]) -> Fields:
    return {"min_pixels": size[0] * size[1], "max_pixels": size[0] * size[1]}


def _frames(row: Row, video: VideoFiles) -> tuple[list[str], Sequence[float | None]]:
    if video.one_file:
        raise BadInput(f"TRL reads no videos, and {_named(row)} has one: take --format frames")
    return video.files, video.times


def _for_rewards(row: Row) -> Fields:
    """What `reward_fns.compute_score` asks for beside the answer; `extra_info` as JSON text."""
    return {"data_source": row["data_source"], "extra_info": json.dumps(row["extra_info"], sort_keys=True)}


def _truth(row: Row) -> str:
    return row["reward_model"]["ground_truth"]


def _named(row: Row) -> str:
    return f"row {row['extra_info']['index']} ({row['data_source']})"


def _write_parquet(folder: Path, split: str, rows: Sequence[Fields]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / f"{split}.parquet")


def _write_lines(folder: Path, split: str, rows: Sequence[Fields]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    with open(folder / f"{split}.jsonl", "w", encoding="utf-8") as file:
        file.writelines(lines)


def _write_described(folder: Path, split: str, rows: Sequence[Fields]) -> None:
    """Writes a split, and tells of it in dataset_info.json."""
    (folder / f"{split}.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    info = folder / "dataset_info.json"
    told: Mapping[str, Any] = json.loads(info.read_text()) if info.exists() else {}
    info.write_text(json.dumps({**told, f"videossr_{split}": {"file_name": f"{split}.json", **_SHAREGPT}}, indent=1))


_SHAREGPT = {
    "formatting": "sharegpt",
    "columns": {"messages": "messages", "videos": "videos", "images": "images"},
    "tags": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    },
}
LAYOUTS = {
    "verl": Layout(_verl, _write_parquet),
    "easyr1": Layout(_easyr1, _write_lines),
    "ms-swift": Layout(_ms_swift, _write_lines),
    "trl": Layout(_trl, _write_lines),
    "llama-factory": Layout(_llama_factory, _write_described),
}
