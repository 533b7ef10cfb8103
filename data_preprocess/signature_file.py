"""signatures.parquet: holds what the videos of a dataset look like, so that another dataset can be held apart from
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_preprocess.write_dataset import ROWS_PER_GROUP
from videossr_verl.errors import BadInput
from videossr_verl.rows.dataset_folder import read_parquet, read_rows
from videossr_verl.video.signature import WORDS, Signature, signature_kind

NAME = "signatures.parquet"
_KIND = b"signature"
_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("video", pa.string()),
        ("split", pa.string()),
        ("places", pa.list_(pa.int32())),
        ("hashes", pa.list_(pa.uint64())),
    ]
)


@dataclass(frozen=True)
class SignedVideo:
    """A video that a dataset shows.

    Attributes:
        video_id: its content id.
        video: its path relative to the dataset's data root.
        split: "train" or "test".
        signature: what it looks like.
    """

    video_id: str
    video: str
    split: str
    signature: Signature


def write_signatures(videos: Iterable[SignedVideo], path: Path) -> None:
    """Writes them in the order of their ids, the same bytes for the same videos."""
    rows = [
        {
            "video_id": one.video_id,
            "video": one.video,
            "split": one.split,
            "places": one.signature.places,
            "hashes": one.signature.hashes.ravel(),
        }
        for one in sorted(videos, key=lambda one: one.video_id)
    ]
    schema = _SCHEMA.with_metadata({_KIND: signature_kind().encode()})
    pq.write_table(pa.Table.from_pylist(rows, schema), path, ROWS_PER_GROUP, compression="zstd", write_statistics=False)


def read_signatures(dataset: str) -> Iterator[SignedVideo]:
    """Returns the videos of the dataset in a folder, or those of one of its files of rows.

    Raises:
        BadInput: there is no such dataset, or its videos cannot be compared with ours.
    """
    given = Path(dataset)
    file = (given if given.is_dir() else given.parent) / NAME
    if not (file.parent / "dataset.json").is_file():
        raise BadInput(f"'{dataset}' does not exist or is no dataset; make it with videossr build")
    needed = None if given.is_dir() else {row["extra_info"]["video_id"] for row in read_rows(given)}
    try:
        table = read_parquet(file)
    except BadInput:
        raise
    except (OSError, ValueError) as error:
        raise BadInput(f"'{file}' tells what the videos look like, and cannot be read: {_REMEDY}") from error
    kind = (table.schema.metadata or {}).get(_KIND, b"").decode()
    if kind != signature_kind():
        raise BadInput(f"'{file}' holds signatures of another kind ('{kind}', here '{signature_kind()}'): {_REMEDY}")
    try:
        videos = [_video(row) for row in table.to_pylist()]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"'{file}' holds no signatures: {_REMEDY}") from error
    if needed is not None and (unknown := needed - {video.video_id for video in videos}):
        raise BadInput(f"{len(unknown)} videos of '{dataset}' are not in '{file}': give files that were built there")
    return (video for video in videos if needed is None or video.video_id in needed)


_REMEDY = "build that dataset again with this version"


def _video(row: dict) -> SignedVideo:
    hashes = np.array(row["hashes"], dtype=np.uint64).reshape(-1, WORDS)
    signature = Signature(np.array(row["places"], dtype=np.int32), hashes)
    return SignedVideo(row["video_id"], row["video"], row["split"], signature)
