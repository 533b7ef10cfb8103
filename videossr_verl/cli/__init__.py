"""The console command `videossr`. Heavy imports stand inside the verbs' `run`, so that --help is instant.

A verb is a module with SUMMARY, HELP, add_arguments(parser) and run(args) -> exit code or None.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from videossr_verl.cli import (
    attack,
    benchmarks,
    build,
    calibrate,
    doctor,
    eval,
    eval_path,
    inspect,
    parity,
    plan,
    probe,
    report,
    viubench,
)
from videossr_verl.cli.verb import add_verb
from videossr_verl.errors import BadInput, MachineError

VERBS = {
    "build": build,
    "calibrate": calibrate,
    "inspect": inspect,
    "report": report,
    "plan": plan,
    "parity": parity,
    "eval": eval,
    "probe": probe,
    "attack": attack,
    "viubench": viubench,
    "benchmarks": benchmarks,
    "eval-path": eval_path,
    "doctor": doctor,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb. Returns its exit code: 2 for wrong input, 1 for what the machine failed at (each after one sentence
    on stderr), 130 after Ctrl-C.
    """
    args = _parser().parse_args(argv)
    try:
        return args.run(args) or 0
    except BadInput as error:
        print(f"videossr: {error}", file=sys.stderr)
        return 2
    except (MachineError, OSError, MemoryError) as error:
        print(f"videossr: {str(error) or 'this machine has no memory left'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("videossr: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="videossr", description="Self-supervised video tasks for GRPO with verl.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, verb in VERBS.items():
        one = add_verb(verbs, name, verb.SUMMARY, verb.HELP)
        one.set_defaults(run=verb.run)
        verb.add_arguments(one)
    return parser
