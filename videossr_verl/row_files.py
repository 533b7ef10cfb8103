"""Files of rows, as users name them in `data.train_files`: parquet of any data set, or JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from videossr_verl.dataset_folder import is_pretext, read_parquet
from videossr_verl.errors import BadInput

Row = dict[str, Any]


def read_table(file: str) -> pa.Table:
    """A parquet file; BadInput names one that is missing or damaged."""
    _check_there(file)
    try:
        table = read_parquet(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"cannot read data file '{file}': {' '.join(str(error).split())}") from error
    # Its metadata may call columns images, which `datasets` then fetches, over the network too; ours has none.
    ours = "data_source" in table.column_names and any(map(is_pretext, table["data_source"].unique().to_pylist()))
    return table.replace_schema_metadata(None) if ours else table


def read_lines(file: str) -> list[Row]:
    """The objects of a JSON-lines file, each value as it is written (Arrow's reader makes dates of texts like them).

    BadInput names a file that is missing, and the line that is no object.
    """
    _check_there(file)
    try:
        with open(file, encoding="utf-8") as lines:
            return [_object(line, number) for number, line in enumerate(lines, 1) if line.strip()]
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read data file '{file}': {error}") from error


def _object(line: str, number: int) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number} is no JSON: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"line {number} is no JSON object: write one object a line, or parquet")
    return row


def _check_there(file: str) -> None:
    if not Path(file).is_file():
        raise BadInput(f"data file '{file}' does not exist: build it with `videossr build`")
