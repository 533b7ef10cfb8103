"""`videossr probe`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from videossr_verl.cli.asking import add_asking
from videossr_verl.errors import BadInput
from videossr_verl.printable import tell

SUMMARY = "see which difficulty fits a model"
HELP = """\
Samples a group of answers to each question, as GRPO does, and shows which difficulty teaches this model something:
groups whose answers all earn the same have no advantage and teach nothing.

  videossr probe --model Qwen/Qwen2.5-VL-7B-Instruct --data data/levels/train.parquet -k 8 --limit 200

A question whose video cannot be shown, or that got fewer than K answers, is left out, and told. If an error ends the
sampling early, the command prints the figures so far, and then ends with the error.

To compare difficulties, build a data set whose preset has several subsets of a task (videossr_verl/tasks/presets.py).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add_asking(parser, 1.0, "as in training")
    add = parser.add_argument
    add("-k", dest="group", metavar="K", type=int, default=8, help="answers to each question (default 8)")
    add("--out", metavar="FILE.json", help="the figures as JSON")


def run(args: argparse.Namespace) -> None:
    """Samples, and prints what fits."""
    from videossr_verl.evaluate import difficulty
    from videossr_verl.evaluate.engine import Sampling, check_numbers, open_engine
    from videossr_verl.evaluate.questions import read_questions
    from videossr_verl.rows.dataset_folder import stored_data_root

    if args.group < 2:
        raise BadInput(f"-k is {args.group}, must be at least 2: one answer has no variance")
    check_numbers(args.limit, args.max_tokens, args.temperature, args.timeout)
    rows = read_questions(args.data)[: args.limit]
    root = args.data_root or stored_data_root(Path(args.data).parent)
    if args.out:
        _check_writable(Path(args.out))
    engine = open_engine(args.model, args.base_url, args.timeout, rows, {"tensor_parallel_size": args.tensor_parallel})
    how = Sampling(args.group, args.temperature, args.max_tokens)
    sampled = difficulty.sample_groups(rows, root, engine, how)
    if sampled.left_out:
        tell(f"note: {sampled.left_out}; left out", file=sys.stderr)
    found = difficulty.fits(rows, sampled.groups)
    tell(difficulty.as_text(found))
    if args.out:
        difficulty.write_probe(found, args.out)
    if sampled.ended:
        raise sampled.ended


def _check_writable(file: Path) -> None:
    """Raises BadInput before the first question is asked, if the figures could not be written after the last."""
    if file.is_dir() or not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise BadInput(f"'{file}' cannot be written: give a file in a folder that is there and can be written")
