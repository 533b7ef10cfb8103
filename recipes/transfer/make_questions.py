"""Writes the rows of the transfer experiment's questions: train.jsonl, test.jsonl, and the test's control blind.jsonl.

python recipes/transfer/make_questions.py --videos videos --out questions
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from videossr_verl.endings import end_well
from videossr_verl.files.whole_file import write_whole
from videossr_verl.rows.controls import blind
from videossr_verl.rows.schema import Row, compact
from videossr_verl.tiny.questions import make_questions, to_row


def rows_of(split: str, videos: Path, count: int, seed: int) -> list[Row]:
    """Returns the rows of a split, `count` of each kind."""
    questions = make_questions(videos / "questions" / split, videos, count, seed)
    return [to_row(question.sample, index, split) for index, question in enumerate(questions)]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, required=True, help="data root, which keeps the videos")
    parser.add_argument("--train", type=int, default=480, help="questions of each kind to train on")
    parser.add_argument("--test", type=int, default=100, help="questions of each kind to test with")
    parser.add_argument("--seed", type=int, default=0, help="of the videos")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    test = rows_of("test", args.videos, args.test, 2 * args.seed + 1)
    splits = {"train": rows_of("train", args.videos, args.train, 2 * args.seed), "test": test, "blind": blind(test)}
    for name, rows in splits.items():
        write_whole(args.out / f"{name}.jsonl", lines(rows))
    print(f"{', '.join(f'{len(rows)} {name}' for name, rows in splits.items())} questions in {args.out}")


def lines(rows: Sequence[Row]) -> str:
    """Returns JSON lines."""
    return "".join(f"{compact(row)}\n" for row in rows)


if __name__ == "__main__":
    sys.exit(end_well(main))
