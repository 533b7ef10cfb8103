"""What the folder that `videossr build` wrote holds, and says about itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from videossr_verl.errors import BadInput

DATA_SOURCE_PREFIX = "videossr/"


def stored_data_root(folder: str | Path) -> str:
    """The folder that the rows' video paths are relative to; BadInput where dataset.json does not tell."""
    file = Path(folder) / "dataset.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))["data_root"]
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"'{file}' does not tell the data root; give --data-root") from error


def read_rows(file: str | Path) -> list[dict[str, Any]]:
    """The rows of a parquet file of this package, maybe none; BadInput if it is missing, damaged or another's."""
    try:
        rows = pq.read_table(file).to_pylist()
    except FileNotFoundError:
        raise BadInput(f"'{file}' does not exist; make it with videossr build or videossr viubench build") from None
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise BadInput(f"'{file}' cannot be read as parquet: {str(error).splitlines()[0]}") from error
    if not all(str(row.get("data_source")).startswith(DATA_SOURCE_PREFIX) for row in rows):
        raise BadInput(f"'{file}' holds rows that are not of this package: build it with videossr build")
    return rows
