"""`videossr controls`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from videossr_verl.cli.asking import add_answering, eval_settings
from videossr_verl.errors import BadInput
from videossr_verl.printable import tell

if TYPE_CHECKING:
    from videossr_verl.evaluate.run import Evaluation
    from videossr_verl.rows.schema import Row

_WRITER = "videossr controls"

SUMMARY = "see what can be earned in a data set without seeing"
HELP = """\
Shows for each task of a data set, beside chance, what can be earned without seeing: by the best constant answer, by
the best rule without learning (`videossr attack`), and by a model that is asked the same questions on three controls:

  blind            another sample's videos: what guessing earns
  single frame     of each video one frame, drawn at random, in all its places: what one moment tells
  shuffled frames  the frames of each video in a random order: what they tell without their order

  videossr controls data/pretext                                       # chance, constants and rules alone
  videossr controls data/pretext --model Qwen/Qwen3-VL-8B-Instruct --out results/controls --limit 100

What a model earns on a control it has not earned by seeing what the control takes away. A blind row's own answer is
never that of the video which it shows, so a model that sees well earns less than chance there.

The model answers as in `videossr eval`, and a run that was stopped goes on with the same command. Writes controls.json
and controls.md into DIR, and with a model also the questions (controls.parquet), answers.jsonl and the scores.
`python -m data_preprocess.controls` writes a control as a file, for data.val_files of a training.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add = parser.add_argument
    add("dataset", metavar="DATASET", help="folder that `videossr build` wrote")
    add("--split", choices=("train", "test"), default="test", help="default: test")
    add_answering(parser, 0.0, "greedy", needs_model=False)
    add("--limit", metavar="N", type=int, help="only the first N questions of each subset")
    add("--workers", metavar="W", type=int, help="processes for the rules (default: one per core)")
    add("--out", metavar="DIR", help="folder for the figures, and for a model's answers")


def run(args: argparse.Namespace) -> None:
    """Measures, and prints the table."""
    import json
    from pathlib import Path

    from videossr_verl.evaluate.attacks.answer_rows import rules_of
    from videossr_verl.evaluate.attacks.earnings import attack
    from videossr_verl.evaluate.controls import as_data, as_markdown, compare
    from videossr_verl.evaluate.questions import first_of_each_subset, read_questions
    from videossr_verl.files.one_writer import one_writer
    from videossr_verl.files.whole_file import write_whole
    from videossr_verl.rows.dataset_folder import stored_data_root

    _check(args)
    rows = read_questions(Path(args.dataset) / f"{args.split}.parquet")
    root = args.data_root or stored_data_root(args.dataset)
    answered = _evaluate(args, rows, root) if args.model else None
    asked = first_of_each_subset(rows, args.limit)
    ruled = [row for row in asked if rules_of(row["extra_info"]["task"])]
    attacks = attack(ruled, root, args.workers or len(os.sched_getaffinity(0))) if ruled else {}
    found = compare(asked, attacks, answered.scores if answered else [])
    text = as_markdown(found, args.model)
    if answered and answered.unanswered:
        text += f"\n{answered.unanswered}"
    if args.out:
        with one_writer(Path(args.out), _WRITER):
            write_whole(Path(args.out, "controls.json"), json.dumps(as_data(found, args.model), indent=2) + "\n")
            write_whole(Path(args.out, "controls.md"), text + "\n")
    tell(text)


def _check(args: argparse.Namespace) -> None:
    for name, value in (("--limit", args.limit), ("--workers", args.workers)):
        if value is not None and value < 1:
            raise BadInput(f"{name} is {value}, must be at least 1")
    if args.model and not args.out:
        raise BadInput("--model needs --out DIR, where its answers are kept")
    if args.base_url and not args.model:
        raise BadInput("--base-url needs --model, the model's name at the server")


def _evaluate(args: argparse.Namespace, rows: Sequence[Row], data_root: str) -> Evaluation:
    """Asks the model the rows and their controls, as one data set in the folder --out."""
    from pathlib import Path

    from data_preprocess.write_dataset import write_parquet
    from videossr_verl.evaluate.controls import with_controls
    from videossr_verl.evaluate.run import evaluate
    from videossr_verl.files.one_writer import one_writer
    from videossr_verl.files.whole_file import whole_file

    file = Path(args.out) / "controls.parquet"
    asked = with_controls(rows, args.limit)
    with one_writer(Path(args.out), _WRITER), whole_file(file) as partial:
        write_parquet(asked, partial)
    settings = eval_settings(args, str(file), data_root)
    return evaluate(settings, {"tensor_parallel_size": args.tensor_parallel})
