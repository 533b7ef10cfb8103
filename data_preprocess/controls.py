"""Writes a control of a test set: its questions, shown in a way in which they should not be answerable."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data_preprocess.write_dataset import write_parquet
from videossr_verl.endings import end_well
from videossr_verl.files.whole_file import whole_file
from videossr_verl.rows.controls import CONTROLS
from videossr_verl.rows.dataset_folder import read_rows


def write_control(control: str, test: Path, out: Path) -> None:
    """Writes a control of a `test.parquet` to `out`; see `rows.controls` for the names."""
    with whole_file(out) as partial:
        write_parquet(CONTROLS[control](read_rows(test)), partial)


def main(argv: list[str] | None = None) -> None:
    """Runs the command line of `write_control`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("control", choices=CONTROLS)
    parser.add_argument("test", type=Path, help="test.parquet of `videossr build`")
    parser.add_argument("out", type=Path, help="parquet file to write")
    args = parser.parse_args(argv)
    write_control(args.control, args.test, args.out)


if __name__ == "__main__":
    sys.exit(end_well(main))
