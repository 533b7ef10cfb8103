"""A disk that is full and a file that is cut, at any byte, under `videossr eval`."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eval_runs import answers, build_questions, run_eval
from openai_server import IllMannered, serving

from videossr_verl.evaluate.answers import read_answers

NAME = "full disks and cut files under eval"
MEANS = (
    "eval ends with one sentence and exit code 1, leaves only whole files, and keeps what was answered readable; the "
    "same command then asks only the other questions and ends with all answers"
)
TRIES = 60
KEY = "sk-none"


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes: a write stops within a line, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """(what was done and what came out, survived) of each try."""
    data = build_questions(folder)
    rng = random.Random(seed)
    with serving("answers in two lines") as server:
        run_eval(data, folder / "whole", server.url, KEY)
        sizes = [file.stat().st_size for file in (folder / "whole").iterdir()]
        for number in range(tries):
            full, cut = rng.randrange(max(sizes)), rng.random()
            if number % 2:  # most bytes are the picture's
                full = rng.randrange((folder / "whole" / "answers.jsonl").stat().st_size)
            faults = _faults(data, folder / f"full {number}", server, full, cut)
            yield f"full at {full} bytes, cut at {cut:.0%}: {'; '.join(faults) or 'as promised'}", not faults


def _faults(data: Path, out: Path, server: IllMannered, full: int, cut: float) -> list[str]:
    """What was not as promised."""
    with files_end_at(full):
        code, _, message = run_eval(data, out, server.url, KEY)
    faults = []
    if code != 1 or not message.splitlines()[-1].startswith("videossr: "):
        faults.append(f"ended with {code}: {message[-300:]}")
    if hidden := [file.name for file in out.glob(".*.partial")]:
        faults.append(f"{hidden} left")
    file = out / "answers.jsonl"
    if file.exists():
        content = file.read_bytes()
        file.write_bytes(content[: int(cut * len(content))])
    kept = read_answers(file) if file.exists() else {}
    code, _, message = run_eval(data, out, server.url, KEY)
    lines = len(file.read_text().splitlines())
    if code or len(answers(out)) != 8 or lines != 8:  # one asked again would have two
        faults.append(f"the same command ends with {code} and {lines} lines: {message[-300:]}")
    if {i: entry["answer"] for i, entry in answers(out).items() if i in kept} != kept:
        faults.append("an answer of before was changed")
    return faults
