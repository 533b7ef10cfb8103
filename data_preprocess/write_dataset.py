"""Writes rows as parquet, with the same bytes for the same rows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from videossr_verl.rows.schema import SCHEMA, Row, compact

ROWS_PER_GROUP = 1000


def write_parquet(rows: Iterable[Row], path: Path) -> str:
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
