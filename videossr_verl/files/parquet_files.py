"""Reads parquet files from anywhere, within bounds: a few bytes of a file may stand for more than a machine's
memory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from videossr_verl.errors import BadInput

MAX_VALUES = 100_000  # the most in a column, in a row on average; a billion equal values fit into some kilobytes
# The most that a file may unpack to: 1 GiB, or 100 times its own bytes if that is more. A million of our rows of 48
# frames take hundreds of MB and unpack to some 2 GB. A data set with the same prompt of 3 KB in each row unpacks to
# some 60 times its size.
MAX_UNPACKED = 2**30
MAX_RATIO = 100
_ROWS_AT_ONCE = 1000
_BYTES_AT_ONCE = 2**26
_NUMBER = 8  # bytes, at most
_PREFIXES = "DELTA_BYTE_ARRAY"  # an encoding in which each text may repeat most of the one before


def read_parquet(source: str | Path | BinaryIO, name: str | None = None) -> pa.Table:
    """Returns the table in a file on this machine. Refuses an address of the network.

    Args:
        source: the file's path, or the opened file.
        name: of the file in messages, where `source` is an opened one.

    Raises:
        FileNotFoundError, OSError, pyarrow.ArrowInvalid: there is none, or no parquet in it.
        BadInput: it would need far more memory than it has bytes.
    """
    if isinstance(source, str | Path):
        if not os.path.isfile(source):
            raise FileNotFoundError(f"'{source}' is no file")
        with open(source, "rb") as file:
            return read_parquet(file, str(source))
    size = os.fstat(source.fileno()).st_size
    limit = max(MAX_UNPACKED, MAX_RATIO * size)
    described = pq.read_metadata(source)
    at_once = _check_footer(described, limit, f"'{name}', {size} bytes,")
    # Equal texts stay numbers until they are counted, so that a million of them cost what one does.
    opened = pq.ParquetFile(source, metadata=described, read_dictionary=_texts(described))
    batches, unpacked = [], 0
    for batch in opened.iter_batches(at_once):
        unpacked += sum(map(_unpacked_bytes, batch.columns))
        _check_size(unpacked, limit, f"'{name}', {size} bytes,")
        batches.append(batch)
    as_stored = pq.ParquetFile(source, metadata=described).schema_arrow
    try:
        return pa.Table.from_batches(batches, opened.schema_arrow).cast(as_stored)
    except pa.ArrowNotImplementedError:  # Arrow cannot cast this type; its size is known now
        return pq.read_table(source)


def _check_footer(described: pq.FileMetaData, limit: int, file: str) -> int:
    """Returns how many rows to read at once, by what the file says of itself. Raises BadInput if that is too much to
    read.
    """
    numbers, largest_text = 0, 1
    for group in map(described.row_group, range(described.num_row_groups)):
        chunks = [group.column(i) for i in range(group.num_columns)]
        most = max((chunk.num_values for chunk in chunks), default=0)
        if most > MAX_VALUES * max(group.num_rows, 1):
            raise BadInput(f"{file} has {most} values of a column in {group.num_rows} rows, too many to read")
        numbers += sum(_NUMBER * chunk.num_values for chunk in chunks if chunk.physical_type != "BYTE_ARRAY")
        _check_size(max(numbers, sum(chunk.total_uncompressed_size for chunk in chunks)), limit, file)
        largest_text = max([largest_text, *(c.total_uncompressed_size for c in chunks if _PREFIXES in c.encodings)])
    largest_row = max(largest_text, numbers // max(described.num_rows, 1))
    return min(_ROWS_AT_ONCE, max(1, _BYTES_AT_ONCE // largest_row))


def _check_size(unpacked: int, limit: int, file: str) -> None:
    if unpacked > limit:
        raise BadInput(
            f"{file} unpacks to more than {limit / 1e9:.1f} GB, the most of {MAX_RATIO} times its size and 1 GB: "
            "split it, if it is a data set at all"
        )


def _texts(described: pq.FileMetaData) -> list[str]:
    """Returns the columns that can be read as numbers of equal texts."""
    columns = list(map(described.schema.column, range(described.num_columns)))
    texts = {c.path for c in columns if c.physical_type == "BYTE_ARRAY" and c.logical_type.type in ("STRING", "NONE")}
    groups = map(described.row_group, range(described.num_row_groups))
    chunks = (group.column(i) for group in groups for i in range(group.num_columns))
    return sorted(texts - {chunk.path_in_schema for chunk in chunks if _PREFIXES in chunk.encodings})


def _unpacked_bytes(array: pa.Array) -> int:
    """Returns the bytes of an array's values as if equal ones were stored again each time."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        lengths = np.asarray(pc.fill_null(pc.call_function("binary_length", [array.dictionary]), 0), np.int64)
        return int(lengths[np.asarray(array.indices.drop_null())].sum())
    if pa.types.is_struct(kind):
        return sum(map(_unpacked_bytes, array.flatten()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        return _NUMBER * len(array) + _unpacked_bytes(array.flatten() if not pa.types.is_map(kind) else array.items)
    return array.nbytes
