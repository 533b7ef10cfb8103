"""Options of the verbs that ask a model the questions of a data set."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from videossr_verl.evaluate.run import EvalSettings


def add_asking(parser: argparse.ArgumentParser, temperature: float, why: str) -> None:
    """Adds which questions are asked, and the options of `add_answering`."""
    add = parser.add_argument
    add("--data", required=True, metavar="FILE", help="parquet file of `videossr build` or `videossr viubench build`")
    add_answering(parser, temperature, why)
    add("--limit", metavar="N", type=int, help="only the first N questions")


def add_answering(parser: argparse.ArgumentParser, temperature: float, why: str, needs_model: bool = True) -> None:
    """Adds where the videos are, and which model or server answers how."""
    add = parser.add_argument
    add("--model", required=needs_model, metavar="PATH", help="model folder or hub name, or its name at the server")
    add("--data-root", metavar="DIR", help="where the videos are now (default: as in dataset.json)")
    add("--base-url", metavar="URL", help="a server with OpenAI's interface, e.g. http://localhost:8000/v1")
    text = "seconds for one answer of a server, tries and waits included (default 300)"
    add("--timeout", metavar="S", type=float, default=300, help=text)
    add("--temperature", metavar="T", type=float, default=temperature, help=f"default {temperature:g}: {why}")
    add("--max-tokens", metavar="N", type=int, default=128, help="the most tokens of an answer (default 128)")
    add("--tensor-parallel", metavar="N", type=int, default=1, help="GPUs that share the model (default 1)")


def eval_settings(args: argparse.Namespace, data: str, data_root: str, limit: int | None = None) -> EvalSettings:
    """Returns how the options of `add_answering`, and --out, ask the questions of the parquet file `data`."""
    from videossr_verl.evaluate.run import EvalSettings

    return EvalSettings(
        model=args.model,
        data=data,
        data_root=data_root,
        out=args.out,
        base_url=args.base_url,
        timeout=args.timeout,
        temperature=args.temperature,
        max_tokens=args.max_tokens,
        limit=limit,
    )
