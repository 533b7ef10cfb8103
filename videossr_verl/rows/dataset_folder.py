"""What the folder of a `videossr build` holds, and says about itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from tqdm import tqdm

from videossr_verl.errors import BadInput
from videossr_verl.files.json_text import read_object
from videossr_verl.files.parquet_files import read_parquet
from videossr_verl.rows.built_here import was_built
from videossr_verl.rows.check import check_rows, is_pretext
from videossr_verl.rows.schema import Row

MAX_DESCRIPTION = 2**24  # the most bytes of a dataset.json; they have some kilobytes
_AT_ONCE = 1000  # rows


def stored_data_root(folder: str | Path) -> str:
    """Returns the folder that the rows' video paths are relative to, as dataset.json says.

    It is believed if it lies in the dataset's own folder, or if this user built the dataset from it on this machine. A
    dataset from elsewhere could name any folder, and have its videos shown or sent away.

    Raises:
        BadInput: dataset.json does not name the folder, or is not believed.
    """
    file = Path(folder) / "dataset.json"
    try:
        with open(file, encoding="utf-8") as text:
            root = os.fspath(read_object(text.read(MAX_DESCRIPTION + 1), MAX_DESCRIPTION)["data_root"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"'{file}' does not tell the data root; give --data-root") from error
    own = Path(os.path.realpath(root)).is_relative_to(os.path.realpath(folder))
    if not own and not was_built(folder, root):
        raise BadInput(
            f"'{file}' names the data root '{root}', but this user did not build this dataset in this folder: "
            "give --data-root, the folder of the videos that it may show"
        )
    return root


def read_rows(file: str | Path) -> list[Row]:
    """Returns the rows of a parquet file of this package, each checked. There may be none.

    Raises:
        BadInput: it is missing, damaged or another's, or a row is not as builds make them.
    """
    try:
        table = read_parquet(file)
    except FileNotFoundError:
        raise BadInput(f"'{file}' does not exist; make it with videossr build or videossr viubench build") from None
    except BadInput:
        raise
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise BadInput(f"'{file}' cannot be read as parquet: {str(error).splitlines()[0]}") from error
    rows: list[Row] = []
    batches = table.to_batches(_AT_ONCE)
    for batch in tqdm(batches, "checking rows", unit=f" x {_AT_ONCE} rows", delay=3):
        more = [{"images": None} | row for row in batch.to_pylist()]
        if not all(is_pretext(row.get("data_source")) for row in more):
            raise BadInput(f"'{file}' holds rows that are not of this package: build it with videossr build")
        start = len(rows)
        check_rows(enumerate(more, start), lambda place: f"row {place} of '{file}'")
        rows += [cast(Row, row | {"images": row["images"] or []}) for row in more]  # it was looked through
    return rows
