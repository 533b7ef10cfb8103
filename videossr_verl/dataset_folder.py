"""What the folder that `videossr build` wrote holds, and says about itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from videossr_verl.errors import BadInput

DATA_SOURCE_PREFIX = "videossr/"
MAX_VALUES = 100_000  # of one column, in a row on average; a billion equal ones fit into a file of some kilobytes


def is_pretext(data_source: Any) -> bool:
    """Whether a row of this data source is of this package."""
    return str(data_source).startswith(DATA_SOURCE_PREFIX)


def stored_data_root(folder: str | Path) -> str:
    """The folder that the rows' video paths are relative to; BadInput where dataset.json does not tell."""
    file = Path(folder) / "dataset.json"
    try:
        return os.fspath(json.loads(file.read_text(encoding="utf-8"))["data_root"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"'{file}' does not tell the data root; give --data-root") from error


def read_parquet(file: str | Path) -> pa.Table:
    """The table in a file on this machine; an address of the network is no file.

    Raises:
        FileNotFoundError, OSError, pyarrow.ArrowInvalid: there is none, or no parquet in it.
        BadInput: it would need far more memory than it has bytes.
    """
    if not os.path.isfile(file):
        raise FileNotFoundError(f"'{file}' is no file")
    described = pq.read_metadata(file)
    for group in (described.row_group(i) for i in range(described.num_row_groups)):
        most = max((group.column(i).num_values for i in range(group.num_columns)), default=0)
        if most > MAX_VALUES * max(group.num_rows, 1):
            raise BadInput(f"'{file}' has {most} values of a column in {group.num_rows} rows, too many to read")
    return pq.read_table(file)


def read_rows(file: str | Path) -> list[dict[str, Any]]:
    """The rows of a parquet file of this package, maybe none; BadInput if it is missing, damaged or another's."""
    try:
        rows = read_parquet(file).to_pylist()
    except FileNotFoundError:
        raise BadInput(f"'{file}' does not exist; make it with videossr build or videossr viubench build") from None
    except BadInput:
        raise
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise BadInput(f"'{file}' cannot be read as parquet: {str(error).splitlines()[0]}") from error
    if not all(is_pretext(row.get("data_source")) for row in rows):
        raise BadInput(f"'{file}' holds rows that are not of this package: build it with videossr build")
    return rows
