"""Follows a training run: its whole output goes to a log file, one line per step to the screen."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import TextIO

_STEP = re.compile(r"step:(\d+) - ")
_METRIC = re.compile(r"([\w./@-]+):(?:np\.\w+\()?(-?[\d.]+(?:e[+-]?\d+)?)")
_RAY_PREFIX = re.compile(r"\x1b\[[\d;]*m|\([\w:.]+ pid=\d+[^)]*\)")
_ERROR = re.compile(r"(?:ray\.exceptions\.RayTaskError\()?((?:\w+\.)*\w*(?:Error|Exception|BadInput)): (.*)")
_SHOWN = {
    "critic/score/mean": "reward",
    "response_length/mean": "answer tokens",
    "actor/kl_loss": "KL",
    "training/rollout_probs_diff_max": "rollout-trainer probability gap",
}


def describe_step(line: str, total: int, started: float) -> str | None:
    """A short line for one of verl's console metric lines, None for any other line."""
    match = _STEP.search(line)
    if not match:
        return None
    step = int(match[1])
    metrics = {name: float(value) for name, value in _METRIC.findall(line[match.end() :])}
    figures = [f"{label} {metrics[name]:.3f}" for name, label in _SHOWN.items() if name in metrics]
    held_out = [v for n, v in metrics.items() if re.fullmatch(r"val-aux/videossr/\w+/score/mean@\d+", n)]
    if held_out:
        figures.append(f"held-out reward {sum(held_out) / len(held_out):.3f}")
    elapsed = time.monotonic() - started
    remaining = f", about {elapsed / step * (total - step) / 60:.0f} min left" if step else ""
    return f"step {step}/{total}  {'  '.join(figures)}  ({elapsed / 60:.1f} min{remaining})"


def follow(lines: TextIO, log: TextIO, screen: TextIO, total: int) -> int:
    """Copies `lines` to `log`, step lines in short form to `screen`, and at the end the first error, if any.

    Returns the exit code that the run should have: 2 after a BadInput, else 0 (the trainer's own code counts).
    """
    started, error = time.monotonic(), None
    for line in lines:
        log.write(line)
        log.flush()
        if short := describe_step(line, total, started):
            print(short, file=screen, flush=True)
        elif match := _ERROR.match(_RAY_PREFIX.sub("", line).strip()):
            kind, text = match[1].rpartition(".")[2], match[2]
            if error is None or kind == "BadInput":
                error = kind, text
    if error is None:
        return 0
    kind, text = error
    print(text if kind == "BadInput" else f"first error in the log: {kind}: {text}", file=screen, flush=True)
    return 2 if kind == "BadInput" else 0


def main(argv: list[str] | None = None) -> int:
    """Command line: reads standard input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--total", type=int, required=True, help="number of training steps")
    args = parser.parse_args(argv)
    with args.log.open("w") as log:
        return follow(sys.stdin, log, sys.stdout, args.total)


if __name__ == "__main__":
    sys.exit(main())
