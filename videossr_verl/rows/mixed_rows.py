"""The rows of several files, each of which may have its own columns and types.

verl joins its files into one table. That fails for two data sets as soon as one has text where the other has numbers:
as an index, a ground truth, a difficulty.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, cast, overload

import datasets
import numpy as np

from videossr_verl.rows.row_files import AnyRow, check_columns, read_lines, read_table


@dataclass(frozen=True)
class _Part:
    """Rows of one file, and their numbers in it."""

    file: str
    rows: datasets.Dataset | list[AnyRow]
    numbers: Sequence[int]
    columns: list[str]

    def select(self, places: Sequence[int]) -> _Part:
        rows = [self.rows[place] for place in places] if isinstance(self.rows, list) else self.rows.select(places)
        return replace(self, rows=rows, numbers=[self.numbers[place] for place in places])

    def select_columns(self, names: Sequence[str]) -> _Part:
        columns = [name for name in self.columns if name in names]
        if isinstance(self.rows, list):
            rows = [{name: row[name] for name in columns if name in row} for row in self.rows]
        else:  # without columns a Dataset has no rows
            rows = self.rows.select_columns(columns) if columns else [{}] * len(self.rows)
        return replace(self, rows=rows, columns=columns)


class MixedRows:
    """The part of `datasets.Dataset` that a data set of verl needs. A column that a row's file lacks is None in the
    row.

    Attributes:
        column_names: of all files.
        fingerprints: of the bytes that each file had when it was read; empty once rows were selected.
    """

    def __init__(self, parts: Sequence[_Part], fingerprints: Sequence[str] = ()) -> None:
        self.fingerprints = tuple(fingerprints)
        self._parts = [part for part in parts if len(part.rows)]
        self._ends = list(accumulate(len(part.rows) for part in self._parts))
        self.column_names = list(dict.fromkeys(name for part in parts for name in part.columns))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, item: int) -> AnyRow: ...

    @overload
    def __getitem__(self, item: str) -> list[Any]: ...

    def __getitem__(self, item: int | str) -> AnyRow | list[Any]:
        """Returns a row that the caller may change, or for a name its column as a list."""
        if isinstance(item, str):
            return [row[item] for row in self.select_columns([item])]
        part, place = self._find(item)
        row = part.rows[place]
        return self._whole(copy.deepcopy(row) if isinstance(part.rows, list) else row)

    def __iter__(self) -> Iterator[AnyRow]:
        for part in self._parts:
            yield from map(self._whole, cast(Iterable[AnyRow], part.rows))  # datasets' stubs allow columns too

    def select(self, places: Sequence[int] | np.ndarray) -> MixedRows:
        """Returns the rows at these places, in ascending order."""
        wanted = np.asarray(places, int)
        starts = [0, *self._ends]
        cut = np.searchsorted(wanted, starts)
        ranges = zip(self._parts, starts, cut, cut[1:], strict=False)
        return MixedRows([part.select((wanted[a:b] - start).tolist()) for part, start, a, b in ranges])

    def select_columns(self, names: Sequence[str]) -> MixedRows:
        """Returns all rows with these columns and no others."""
        rows = MixedRows([part.select_columns(names) for part in self._parts])
        rows.column_names = list(names)
        return rows

    def place(self, item: int) -> str:
        """Returns where a row comes from, for messages: "row 17 of 'train.parquet'", counted from 0."""
        part, place = self._find(item)
        return f"row {part.numbers[place]} of '{part.file}'"

    def _find(self, item: int) -> tuple[_Part, int]:
        if not 0 <= item < len(self):
            raise IndexError(f"row {item} of {len(self)}")
        number = bisect_right(self._ends, item)
        return self._parts[number], item - (self._ends[number - 1] if number else 0)

    def _whole(self, row: AnyRow) -> AnyRow:
        return dict.fromkeys(self.column_names) | row


def read_files(files: Sequence[str]) -> MixedRows:
    """Returns the rows of parquet and JSON-lines files. Raises BadInput if a file is missing or damaged, and names
    it.
    """
    read = [_read_file(str(file)) for file in files]
    return MixedRows([part for part, _ in read], [fingerprint for _, fingerprint in read])


def _read_file(file: str) -> tuple[_Part, str]:
    part, fingerprint = _read_part(file)
    check_columns(part.columns, file)
    return part, fingerprint


def _read_part(file: str) -> tuple[_Part, str]:
    if file.endswith(".parquet"):
        table, fingerprint = read_table(file)
        return _Part(file, datasets.Dataset(table), range(table.num_rows), table.column_names), fingerprint
    rows, fingerprint = read_lines(file)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _Part(file, rows, range(len(rows)), names), fingerprint
