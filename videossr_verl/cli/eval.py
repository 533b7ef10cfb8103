"""`videossr eval`."""

from __future__ import annotations

import argparse

from videossr_verl.cli.asking import add_asking, eval_settings
from videossr_verl.printable import tell

SUMMARY = "ask a model the questions of a data set"
HELP = """\
Asks a model every question of a data set and scores the answers with the training's own parsers. Tells what training
would pay (reward), and what benchmarks report (metric); a change of the reward does not move the metric.

  videossr eval --model Qwen/Qwen3-VL-8B-Instruct --data data/pretext/test.parquet --out results/base
  videossr eval --model runs/mvp/checkpoint --data viubench/viubench/test.parquet --out results/mine
  videossr eval --model gpt-5 --base-url https://api.openai.com/v1 --data data/pretext/test.parquet --out results/gpt-5

Greedy unless told otherwise. vLLM runs in this process; with --base-url any server with OpenAI's interface answers
(its key comes from $OPENAI_API_KEY; frames are sent as images with their times). A run that was stopped goes on
with the same command. Writes answers.jsonl, scores.json, scores.md and scores.png into DIR. A question whose video
cannot be shown, that gets no answer, or whose answer cannot be read, earns 0 and stays in the mean.

Each answer is on disk as it comes. If a server spoils one (a page of HTML, half a reply, no reply within --timeout, a
question refused as too long), that costs the question: it is counted and told at the end, and the same command asks it
again. A video that cannot be shown is not tried again. A refused key, an unknown model, a redirect, a server that is
not there, or 16 spoiled answers in a row end the run. Passwords and queries of an address are not stored.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add_asking(parser, 0.0, "greedy")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for answers and scores")


def run(args: argparse.Namespace) -> None:
    """Asks and scores."""
    from pathlib import Path

    from videossr_verl.evaluate.run import evaluate
    from videossr_verl.rows.dataset_folder import stored_data_root

    root = args.data_root or stored_data_root(Path(args.data).parent)
    settings = eval_settings(args, args.data, root, args.limit)
    tell(evaluate(settings, {"tensor_parallel_size": args.tensor_parallel}).text)
