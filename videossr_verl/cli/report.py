"""`videossr report`."""

from __future__ import annotations

import argparse

from videossr_verl.printable import tell

SUMMARY = "show what a training run learned"
HELP = """\
Shows what a training run learned: for each task the held-out reward and exact rate before and after, beside chance and,
if the validation files hold it, the blind control. Writes curves.png into the run. For several runs that differ in
their seed, it prints the mean gain and the spread.

  videossr report runs/quickstart/qwen2_5_vl-seed1
  videossr report runs/quickstart/qwen2_5_vl-seed* --picture seeds.png
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    text = "folder with metrics/*.jsonl of verl's file logger"
    parser.add_argument("runs", metavar="RUN", nargs="+", help=text)
    parser.add_argument("--picture", metavar="FILE.png", help="with several runs: where to draw their curves")


def run(args: argparse.Namespace) -> None:
    """Prints and draws."""
    from videossr_verl.run.learning_curves import compare_seeds, write_report

    tell(write_report(args.runs[0]) if len(args.runs) == 1 else compare_seeds(args.runs, args.picture))
