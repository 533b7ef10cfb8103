"""The questions of a data set, ready to be asked: messages, and media rendered as in training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from videossr_verl.errors import BadInput
from videossr_verl.prompt.media import Video
from videossr_verl.prompt.render import render
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.rows.schema import Message, Row
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.specs import ImageSpec, VideoSpec

THREADS = 4  # decoding releases Python's lock


@dataclass(frozen=True)
class Question:
    """One row as a model is asked it.

    Attributes:
        id: the row's index.
        messages: role and text; each `<video>` and `<image>` stands for the next of the media.
        videos: N pairs of uint8 frames (T, C, H, W) and metadata.
        images: in RGB.
    """

    id: int
    messages: Sequence[Message]
    videos: list[Video]
    images: list[Image.Image]


def read_questions(file: str | Path) -> list[Row]:
    """Returns the rows of a parquet file. Raises BadInput if there are none, or if two have the same id."""
    rows = read_rows(file)
    if not rows:
        raise BadInput(f"'{file}' has no rows")
    if len({row["extra_info"]["index"] for row in rows}) < len(rows):
        raise BadInput(f"'{file}' has rows with the same index, so answers could not be told apart")
    return rows


def first_of_each_subset(rows: Sequence[Row], limit: int | None) -> list[Row]:
    """Returns the first `limit` rows of each subset, in their order; all if it is None."""
    seen, first = Counter[str](), list[Row]()
    for row in rows:
        seen[row["data_source"]] += 1
        if limit is None or seen[row["data_source"]] <= limit:
            first.append(row)
    return first


def questions(
    rows: Sequence[Row], data_root: str | Path, factor: int
) -> Iterator[tuple[int, Question | VideoRejected]]:
    """Yields (id, question) of each row in order, and renders a few ahead. If a row's video cannot be shown, yields
    (id, rejection).

    Args:
        factor: frame sizes are multiples of it, see `patch_factor`.
    """
    pool = ThreadPoolExecutor(THREADS)
    try:
        ahead = [pool.submit(_question, row, data_root, factor) for row in rows[: 2 * THREADS]]
        for number, row in enumerate(rows):
            made = ahead.pop(0).result()
            if (following := number + 2 * THREADS) < len(rows):
                ahead.append(pool.submit(_question, rows[following], data_root, factor))
            yield row["extra_info"]["index"], made
    finally:
        pool.shutdown(cancel_futures=True)  # to stop must not mean to wait for questions that nobody will ask


def _question(row: Row, data_root: str | Path, factor: int) -> Question | VideoRejected:
    try:
        videos, images = [VideoSpec.from_row(v) for v in row["videos"]], [ImageSpec.from_row(i) for i in row["images"]]
        shown, stills = render(videos, images, data_root, factor)
    except VideoRejected as error:
        return error
    return Question(row["extra_info"]["index"], row["prompt"], shown, stills)
