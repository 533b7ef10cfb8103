"""The console command `videossr`. Heavy imports stand inside the verbs' `run`, so that --help is instant.

A verb is a module with SUMMARY, HELP, add_arguments(parser) and run(args) -> exit code or None.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from videossr_verl.cli import (
    attack,
    benchmarks,
    build,
    calibrate,
    controls,
    doctor,
    eval,
    eval_path,
    export,
    inspect,
    parity,
    plan,
    probe,
    report,
    trial,
    viubench,
)
from videossr_verl.cli.verb import add_verb
from videossr_verl.endings import end_well

VERBS = {
    "build": build,
    "calibrate": calibrate,
    "inspect": inspect,
    "report": report,
    "plan": plan,
    "parity": parity,
    "export": export,
    "eval": eval,
    "probe": probe,
    "attack": attack,
    "controls": controls,
    "viubench": viubench,
    "benchmarks": benchmarks,
    "eval-path": eval_path,
    "doctor": doctor,
    "trial": trial,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb and returns its exit code. `videossr_verl.endings` lists the codes."""
    args = _parser().parse_args(argv)
    return end_well(lambda: args.run(args), getattr(args, "out", None))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="videossr", description="Self-supervised video tasks for GRPO with verl.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, verb in VERBS.items():
        one = add_verb(verbs, name, verb.SUMMARY, verb.HELP)
        one.set_defaults(run=verb.run)
        verb.add_arguments(one)
    return parser
