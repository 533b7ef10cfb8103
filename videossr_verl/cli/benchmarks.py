"""`videossr benchmarks`."""

from __future__ import annotations

import argparse

from videossr_verl.errors import BadInput
from videossr_verl.printable import tell

SUMMARY = "the paper's 17 benchmarks, and one's scores beside the published ones"
HELP = """\
Without folders: which lmms-eval task runs each of VideoSSR's 17 benchmarks, and what differs or must be had first.
With folders that recipes/benchmarks.sh wrote, one a model: their scores beside the published ones.

  videossr benchmarks
  videossr benchmarks base=results/base trained=results/trained --frames 48 --out results

Every question counts. One that could not be asked is wrong, and is listed in failed.jsonl; one whose answer cannot be
read is wrong too. Tasks that the paper does not have are shown as lmms-eval reports them.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add = parser.add_argument
    add("runs", metavar="NAME=DIR", nargs="*", help="a model's name in the table, and its folder of results")
    add("--frames", metavar="N", type=int, default=48, help="frames the models were shown: 32, 48 (default) or 64")
    add("--tasks", action="store_true", help="only print the lmms-eval tasks of the 17")
    add("--out", metavar="DIR", help="where benchmarks.md, benchmarks.json and failed.jsonl go (default: only print)")


def run(args: argparse.Namespace) -> None:
    """Prints a table."""
    from pathlib import Path

    from videossr_verl.evaluate.lmms.benchmark_table import overview, write_table
    from videossr_verl.evaluate.lmms.benchmarks import benchmarks

    if args.tasks:
        tell(" ".join(task for benchmark in benchmarks().values() for task in benchmark.tasks))
        return
    if not args.runs:
        tell(overview().rstrip("\n"))
        return
    runs = {}
    for text in args.runs:
        name, equals, folder = text.partition("=")
        if not equals or not name or name in runs:
            raise BadInput(f"'{text}' must be NAME=DIR, each name once")
        runs[name] = Path(folder)
    tell(write_table(runs, args.frames, Path(args.out) if args.out else None).rstrip("\n"))
