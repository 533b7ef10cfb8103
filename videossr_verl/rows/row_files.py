"""Files of rows, as users name them in `data.train_files`: parquet of any data set, or JSON lines.

Each file is opened once, and its fingerprint is that of the bytes that were read: a file that takes its name later is
another one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import pyarrow as pa

from videossr_verl.errors import BadInput
from videossr_verl.files.parquet_files import read_parquet
from videossr_verl.rows.check import is_pretext

AnyRow = dict[str, Any]  # of any data set, not looked through

# verl 0.9.1 makes these columns itself for a batch, or takes them for its own orders. With one of them in a file a run
# waits for what it never asked for, or for a million rollouts of one prompt.
VERLS = frozenset(
    ("validate", "uid", "global_steps", "trajectory", "trace", "session_id", "sampling_params", "priority")
).union(("__rollout_n__", "__do_sample__"))


def read_table(file: str) -> tuple[pa.Table, str]:
    """Returns a parquet file's rows and fingerprint. Raises BadInput if it is missing or damaged, or changes
    meanwhile.
    """
    with _opened(file, (pa.ArrowInvalid, OSError)) as content:
        before = _state(content)
        fingerprint = hashlib.file_digest(content, _digest).hexdigest()
        table = read_parquet(content, file)
        if _state(content) != before:
            raise BadInput(f"data file '{file}' was written to while it was read: start again when it is whole")
    # Drops metadata: it may call columns images, which `datasets` then fetches, even over the network. Ours has none.
    ours = "data_source" in table.column_names and any(map(is_pretext, table["data_source"].to_pylist()))
    return (table.replace_schema_metadata(None) if ours else table), fingerprint


def read_lines(file: str) -> tuple[list[AnyRow], str]:
    """Returns the objects of a JSON-lines file and its fingerprint. Each value stays as written (Arrow's reader makes
    dates of texts).

    Raises BadInput that names a file that is missing, or a line that is no object.
    """
    digest = _digest()
    with _opened(file, (OSError, ValueError)) as lines:
        rows = []
        for number, line in enumerate(lines, 1):
            digest.update(line)
            if text := line.decode("utf-8").strip():
                rows.append(_object(text, number))
    return rows, digest.hexdigest()


@contextmanager
def _opened(file: str, errors: tuple[type[Exception], ...]) -> Iterator[BufferedReader]:
    """Yields the open file. Raises BadInput if it is missing, or if reading it raises one of `errors`."""
    if not Path(file).is_file():
        raise BadInput(f"data file '{file}' does not exist: build it with `videossr build`")
    try:
        with open(file, "rb") as content:
            yield content
    except BadInput:
        raise
    except errors as error:
        raise BadInput(f"cannot read data file '{file}': {' '.join(str(error).split())}") from error


def check_columns(names: Iterable[str], file: str) -> None:
    """Raises BadInput for a column whose name verl keeps for itself."""
    if taken := sorted(VERLS.intersection(names)):
        raise BadInput(
            f"data file '{file}' has a column '{taken[0]}', which verl keeps for itself: give it another name"
        )


def _object(line: str, number: int) -> AnyRow:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number} is no JSON: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"line {number} is no JSON object: write one object a line, or parquet")
    return row


def _state(content: BufferedReader) -> tuple[int, int]:
    """Returns a value that changes when somebody writes to an open file, and not when another one takes its name."""
    found = os.fstat(content.fileno())
    return found.st_size, found.st_mtime_ns


def _digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)
