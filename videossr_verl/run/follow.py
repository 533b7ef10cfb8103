"""Follows a training run. Its whole output goes to a log file; its stages and one line per step go to the screen."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from videossr_verl.patches.survival.changed_settings import TOLD
from videossr_verl.patches.survival.open_groups import WAITING
from videossr_verl.printable import tell, without_colours

_STEP = re.compile(r"step:(\d+) - ")
_METRIC = re.compile(r"([\w./@-]+):(?:np\.\w+\()?(-?[\d.]+(?:e[+-]?\d+)?)")
_RAY_PREFIX = re.compile(r"\x1b\[[\d;]*m|\([\w:.]+ pid=\d+[^)]*\)")
_ERROR = re.compile(r"(?:ray\.exceptions\.RayTaskError\()?((?:\w+\.)*\w*(?:Error|Exception|BadInput)): (.*)")
_LAST_WORDS = "videossr: "  # begins the last line of a training command, see `videossr_verl.endings`
_STAGES = {
    "Started a local Ray instance": "Ray is up; verl reads the dataset",
    "train and validate dataloader initialized": "dataset read; FSDP actor and reference load the model",
    "actor and ref model engine initialized": "actor and reference are up; the vLLM server starts (half a minute)",
    "all initialize finished": "everything is up; the held-out samples come first",
}
_SHOWN = {
    "critic/score/mean": "reward",
    "response_length/mean": "answer tokens",
    "actor/kl_loss": "KL",
    "training/rollout_probs_diff_max": "rollout-trainer probability gap",
}


def describe_step(line: str) -> tuple[int, str] | None:
    """Returns the step number and figures of one of verl's console metric lines, or None for any other line."""
    match = _STEP.search(line)
    if not match:
        return None
    metrics = {name: float(value) for name, value in _METRIC.findall(line[match.end() :])}
    figures = [f"{label} {metrics[name]:.3f}" for name, label in _SHOWN.items() if name in metrics]
    held_out = [v for n, v in metrics.items() if re.fullmatch(r"val-aux/videossr/\w+/score/mean@\d+", n)]
    if held_out:
        figures.append(f"held-out reward {sum(held_out) / len(held_out):.3f}")
    return int(match[1]), "  ".join(figures)


def find_error(line: str) -> tuple[str, str] | None:
    """Returns the kind and text of the exception that a line of a traceback names, or None for any other line."""
    match = _ERROR.match(_RAY_PREFIX.sub("", line).strip())
    return (match[1].rpartition(".")[2], match[2]) if match else None


def follow(lines: Iterable[str], log: TextIO, screen: TextIO, total: int) -> int:
    """Copies `lines` to `log`; stages and steps in short form to `screen`, and at the end the first error, if any.

    Returns the exit code that the run should have: 2 after a BadInput, else 0 (the trainer's own code counts).
    """
    started, first, error = time.monotonic(), None, None
    for line in lines:
        log.write(line)
        log.flush()
        now = time.monotonic()
        if found := describe_step(line):
            step, figures = found
            first = first or (step, now)
            left = ""
            if step > first[0]:
                left = f", about {(now - first[1]) / (step - first[0]) * (total - step) / 60:.0f} min left"
            print(f"step {step}/{total}  {figures}  ({(now - started) / 60:.1f} min{left})", file=screen, flush=True)
        elif told := next((line[line.index(sign) :].rstrip() for sign in (TOLD, WAITING) if sign in line), None):
            tell(without_colours(told), screen)
        elif stage := next((said for sign, said in _STAGES.items() if sign in line), None):
            print(f"{stage} ({(now - started) / 60:.1f} min)", file=screen, flush=True)
        elif line.startswith(_LAST_WORDS):
            error = "", line.removeprefix(_LAST_WORDS).strip()
        elif (found := find_error(line)) and (error is None or found[0] == "BadInput"):
            error = found
    if error is None:
        return 0
    kind, text = error
    told = text if kind in ("", "BadInput") else f"first error in the log: {kind}: {text}"
    tell(without_colours(told), screen)
    return 2 if kind == "BadInput" else 0


def main(argv: list[str] | None = None) -> int:
    """Runs the command line: reads standard input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--total", type=int, required=True, help="number of training steps")
    args = parser.parse_args(argv)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # the training ends then, and this command ends with its output
        signal.signal(number, signal.SIG_IGN)
    with args.log.open("w") as log:
        return follow(sys.stdin, log, sys.stdout, args.total)


if __name__ == "__main__":
    sys.exit(main())
