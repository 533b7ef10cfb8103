"""Options of the verbs that ask a model the questions of a data set."""

from __future__ import annotations

import argparse


def add_asking(parser: argparse.ArgumentParser, temperature: float, why: str) -> None:
    """Adds the options of the verbs that ask a model the questions of a data set."""
    add = parser.add_argument
    add("--model", required=True, metavar="PATH", help="model folder or hub name, or its name at the server")
    add("--data", required=True, metavar="FILE", help="parquet file of `videossr build` or `videossr viubench build`")
    add("--data-root", metavar="DIR", help="where the videos are now (default: as in dataset.json)")
    add("--base-url", metavar="URL", help="a server with OpenAI's interface, e.g. http://localhost:8000/v1")
    text = "seconds for one answer of a server, tries and waits included (default 300)"
    add("--timeout", metavar="S", type=float, default=300, help=text)
    add("--temperature", metavar="T", type=float, default=temperature, help=f"default {temperature:g}: {why}")
    add("--max-tokens", metavar="N", type=int, default=128, help="the most tokens of an answer (default 128)")
    add("--limit", metavar="N", type=int, help="only the first N questions")
    add("--tensor-parallel", metavar="N", type=int, default=1, help="GPUs that share the model (default 1)")
