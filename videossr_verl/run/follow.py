"""Follows a training run: its whole output goes to a log file, its stages and one line per step to the screen.

Steps and figures are those of verl's `file` logger; stages, notices and errors are told in the output only.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TextIO

from videossr_verl.patches.survival.changed_settings import CHANGED
from videossr_verl.patches.survival.open_groups import WAITING
from videossr_verl.printable import tell, without_colours
from videossr_verl.run.metrics_file import read_records

LOOK_EVERY = 0.5  # seconds
_HELD_OUT = re.compile(r"val-aux/videossr/\w+/score/mean@\d+")
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


def step_line(record: Mapping[str, Any], total: int, seconds: float, first: tuple[int, float]) -> str:
    """One line for a step.

    Args:
        record: of verl's file logger, see `read_records`; figures that are no numbers (null) are left out.
        total: number of training steps.
        seconds: since the run began.
        first: the first step and its seconds: until then the run started up.
    """
    step, left = record["step"], ""
    figures = {name: value for name, value in record["data"].items() if isinstance(value, int | float)}
    shown = [f"{label} {_figure(figures[name])}" for name, label in _SHOWN.items() if name in figures]
    if held_out := [value for name, value in figures.items() if _HELD_OUT.fullmatch(name)]:
        shown.append(f"held-out reward {sum(held_out) / len(held_out):.3f}")
    if step > first[0]:
        left = f", about {(seconds - first[1]) / (step - first[0]) * (total - step) / 60:.0f} min left"
    return f"step {step}/{total}  {'  '.join(shown)}  ({seconds / 60:.1f} min{left})"


def _figure(value: float) -> str:
    """Returns three decimals, or one digit of what would be 0.000."""
    return f"{value:.0e}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"


def find_error(line: str) -> tuple[str, str] | None:
    """Returns the kind and text of the exception that a line of a traceback names, or None for any other line."""
    if line.startswith(_LAST_WORDS):
        return "", line.removeprefix(_LAST_WORDS).strip()
    match = _ERROR.match(_RAY_PREFIX.sub("", line).strip())
    return (match[1].rpartition(".")[2], match[2]) if match else None


def follow(lines: Iterable[str], log: TextIO, metrics: Path, screen: TextIO, total: int) -> int:
    """Copies `lines` to `log`; stages and steps in short form to `screen`, and at the end the first error, if any.

    Args:
        metrics: the file that verl's file logger will write.
        total: number of training steps.

    Returns the exit code that the run should have: 2 after a BadInput, else 0 (the trainer's own code counts).
    """
    started, first, position, error = time.monotonic(), None, 0, None
    for line in _as_they_come(lines):
        seconds = time.monotonic() - started
        records, position = read_records(metrics, position)
        for record in records:
            first = first or (record["step"], seconds)
            print(step_line(record, total, seconds, first), file=screen, flush=True)
        if line is None:
            continue
        log.write(line)
        log.flush()
        if found := find_error(line):
            if error is None or found[0] in ("", "BadInput"):
                error = found
        elif text := _notice(line, seconds):
            tell(text, screen)
    if error is None:
        return 0
    kind, text = error
    tell(without_colours(text if kind in ("", "BadInput") else f"first error in the log: {kind}: {text}"), screen)
    return 2 if kind == "BadInput" else 0


def _notice(line: str, seconds: float) -> str | None:
    """What the screen shows of a line: what a run goes on with or waits for, or the stage that begins."""
    for sign in (CHANGED, WAITING):
        if sign in line:
            return without_colours(line[line.index(sign) :].rstrip())
    stage = next((stage for sign, stage in _STAGES.items() if sign in line), None)
    return stage and f"{stage} ({seconds / 60:.1f} min)"


def _as_they_come(lines: Iterable[str]) -> Iterator[str | None]:
    """The lines, and None after LOOK_EVERY seconds without one and after the last."""
    arrived: SimpleQueue[str | None] = SimpleQueue()

    def pass_on() -> None:
        try:
            for line in lines:
                arrived.put(line)
        finally:
            arrived.put(None)

    Thread(target=pass_on, daemon=True, name="lines to follow").start()
    while True:
        try:
            line = arrived.get(timeout=LOOK_EVERY)
        except Empty:
            yield None
            continue
        yield line
        if line is None:
            return


def main(argv: list[str] | None = None) -> int:
    """Runs the command line: reads standard input."""
    parser = argparse.ArgumentParser(description="Logs a training run and shows its progress.")
    parser.add_argument("log", type=Path, help="file to write the whole output to")
    parser.add_argument("--metrics", type=Path, required=True, help="file of verl's file logger: VERL_FILE_LOGGER_PATH")
    parser.add_argument("--total", type=int, required=True, help="number of training steps")
    args = parser.parse_args(argv)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # the training ends then, and this command ends with its output
        signal.signal(number, signal.SIG_IGN)
    with args.log.open("w") as log:
        return follow(sys.stdin, log, args.metrics, sys.stdout, args.total)


if __name__ == "__main__":
    sys.exit(main())
