"""`videossr probe`."""

from __future__ import annotations

import argparse
import sys

from videossr_verl.cli.asking import add_asking
from videossr_verl.errors import BadInput
from videossr_verl.printable import tell

SUMMARY = "see which difficulty fits a model"
HELP = """\
Samples a group of answers to each question, as GRPO does, and shows which difficulty teaches this model something:
groups whose answers all earn the same have no advantage and teach nothing.

  videossr probe --model Qwen/Qwen2.5-VL-7B-Instruct --data data/levels/train.parquet -k 8 --limit 200

To compare difficulties, build a data set whose preset has several subsets of a task (see data_preprocess/presets.py).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    add_asking(parser, 1.0, "as in training")
    add = parser.add_argument
    add("-k", dest="group", metavar="K", type=int, default=8, help="answers to each question (default 8)")
    add("--out", metavar="FILE.json", help="the figures as JSON")


def run(args: argparse.Namespace) -> None:
    """Samples, and prints what fits."""
    from pathlib import Path

    from videossr_verl.dataset_folder import stored_data_root
    from videossr_verl.evaluation import probe
    from videossr_verl.evaluation.evaluate import check_numbers, open_engine
    from videossr_verl.evaluation.questions import read_questions

    if args.group < 2:
        raise BadInput(f"-k is {args.group}, must be at least 2: one answer has no variance")
    check_numbers(args.limit, args.max_tokens, args.temperature)
    rows = read_questions(args.data)[: args.limit]
    root = args.data_root or stored_data_root(Path(args.data).parent)
    engine = open_engine(args.model, args.base_url, rows, {"tensor_parallel_size": args.tensor_parallel})
    sampled = probe.sample_groups(rows, root, engine, args.group, args.temperature, args.max_tokens)
    if len(sampled) < len(rows):
        tell(f"note: {len(rows) - len(sampled)} of {len(rows)} videos cannot be shown: left out", file=sys.stderr)
    found = probe.fits(rows, sampled)
    tell(probe.as_text(found))
    if args.out:
        probe.write_probe(found, args.out)
