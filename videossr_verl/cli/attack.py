"""`videossr attack`."""

from __future__ import annotations

import argparse
import os

from videossr_verl.errors import BadInput
from videossr_verl.printable import tell

SUMMARY = "see what rules without learning earn in a data set"
HELP = """\
Answers the questions with rules that learn nothing (largest jumps, flat regions, chains of likeness, ...) from what a
model is shown and told, and prints what each earns beside chance. The lower the best rule, the more a task teaches
seeing: a model can earn as much as the rule does without seeing.

  videossr attack data/pretext --limit 100
  videossr attack viubench/viubench/test.parquet --out rules.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add = parser.add_argument
    add(
        "data", metavar="DATASET|FILE.parquet", help="folder that `videossr build` wrote (its train.parquet), or a file"
    )
    add("--limit", metavar="N", type=int, help="only the first N questions of each subset")
    add("--data-root", metavar="DIR", help="where the videos are now (default: as in dataset.json)")
    add("--workers", metavar="W", type=int, help="processes (default: one per core)")
    add("--out", metavar="FILE.json", help="the figures as JSON")


def run(args: argparse.Namespace) -> None:
    """Attacks, and prints the table."""
    from pathlib import Path

    from videossr_verl.evaluate.attacks.earnings import as_text, attack, write_earnings
    from videossr_verl.evaluate.questions import first_of_each_subset, read_questions
    from videossr_verl.rows.dataset_folder import stored_data_root

    for name, value in (("--limit", args.limit), ("--workers", args.workers)):
        if value is not None and value < 1:
            raise BadInput(f"{name} is {value}, must be at least 1")
    file = Path(args.data) / "train.parquet" if Path(args.data).is_dir() else Path(args.data)
    rows = first_of_each_subset(read_questions(file), args.limit)
    root = args.data_root or stored_data_root(file.parent)
    found = attack(rows, root, args.workers or len(os.sched_getaffinity(0)))
    tell(as_text(found))
    if args.out:
        write_earnings(found, args.out)
