"""Rows of a data set, looked through before a run: they may come from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from videossr_verl.errors import BadInput
from videossr_verl.sample import ImageSpec, VideoSpec
from videossr_verl.video.rejected import VideoRejected


def files_of(rows: Iterable[Mapping[str, Any]], prompt_key: str, video_key: str, image_key: str) -> set[str]:
    """The files below the data root that pretext rows name.

    Raises:
        BadInput: a row asks for what no build makes, or for something that verl's own loaders would open instead.
    """
    files = set()
    for number, row in enumerate(rows):
        if not all(isinstance(message["content"], str) for message in row[prompt_key]):
            raise BadInput(f"pretext row {number} has a prompt that is no text: build the dataset again")
        try:
            videos = [VideoSpec.from_row(video) for video in row[video_key] or ()]
            images = [ImageSpec.from_row(image) for image in row.get(image_key) or ()]
        except VideoRejected as error:
            raise BadInput(f"pretext row {number} cannot be used: {error}") from error
        files.update(spec.video for spec in (*videos, *images))
        files.update(spec.transform["source"]["video"] for spec in videos if spec.transform.get("source"))
    return files
