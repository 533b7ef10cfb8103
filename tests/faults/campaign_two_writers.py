"""Two commands with one folder, and a second one right after the first was killed."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tiny_build import build_command, contents, make_reference

NAME = "two commands that write to one folder, or a second one after the first was killed"
MEANS = "the second is told who is first, or finds the work done; a killed one blocks nobody; bytes are never mixed"
TRIES = 30
# A training's saves, without the training: what it writes is its own name, file after file.
SAVES = """
import sys, time
from contextlib import suppress
from pathlib import Path
from videossr_verl.endings import end_well
from videossr_verl.files.one_writer import one_writer
steps, tag = Path(sys.argv[1]), sys.argv[2]
def train():
    with one_writer(steps, "training"):
        for name in ("model.pt", "optim.pt", "data.pt"):
            (steps / name).write_text(tag)
            time.sleep(0.2)
sys.exit(end_well(train))
"""


def _pair(commands: list[list[str]], seconds: float, kill: bool) -> list[tuple[int, str]]:
    """Code and last line of both, the second one started so many seconds after the first, which may be killed then."""
    first, second = commands
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    one = subprocess.Popen(first, **pipes)
    time.sleep(seconds)
    if kill:
        one.send_signal(signal.SIGKILL)
    other = subprocess.Popen(second, **pipes)
    errors = [process.communicate(timeout=300)[1].strip().splitlines() for process in (one, other)]
    return [
        (process.returncode, lines[-1] if lines else "") for process, lines in zip((one, other), errors, strict=True)
    ]


def _right(ends: list[tuple[int, str]], kill: bool) -> bool:
    """Whether each ended well or was refused by name, and one of them did the work."""
    (first, _), (second, _) = ends
    refused = [code == 2 and " writes to " in said and "process " in said for code, said in ends]
    if kill:
        return second == 0 and first in (0, -signal.SIGKILL)
    return all(code == 0 or message for (code, _), message in zip(ends, refused, strict=True)) and 0 in (first, second)


def two_builds(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """Two builds of the same videos; the dataset is that of one build."""
    videos, wanted = make_reference(folder, seed)
    out, chosen = folder / "out", random.Random(seed)
    for number in range(tries):
        shutil.rmtree(out, ignore_errors=True)
        seconds, kill = chosen.uniform(0, 4), number % 2 == 1
        ends = _pair([build_command(videos, out)] * 2, seconds, kill)
        same = contents(out) == contents(wanted)
        yield (
            f"builds {seconds:.2f} s apart, first {'killed' if kill else 'left alone'}: {ends}",
            same and _right(ends, kill),
        )


def two_trainings(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """What is there at the end is one's own."""
    chosen = random.Random(seed)
    for number in range(tries):
        steps = folder / f"steps{number}"
        seconds, kill = chosen.uniform(0, 1.5), number % 2 == 1
        ends = _pair([[sys.executable, "-c", SAVES, str(steps), tag] for tag in "AB"], seconds, kill)
        tags = {file.read_text() for file in steps.glob("*.pt")}
        what = f"savings {seconds:.2f} s apart, first {'killed' if kill else 'left alone'}: {ends}, left {sorted(tags)}"
        yield what, len(tags) == 1 and not list(steps.glob(".writer")) and _right(ends, kill)


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """One pair of builds for two of savings."""
    yield from two_builds(folder / "builds", tries // 3, seed)
    yield from two_trainings(folder / "trainings", tries - tries // 3, seed)
