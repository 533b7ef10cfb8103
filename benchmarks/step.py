"""What one group costs each GPU pass of a step: stock verl against `actor_rollout_ref.actor.shared_prompts`.

    VERL_PLATFORM=cpu python benchmarks/step.py [--rollouts 8 16] [--lengths 2048x32/8 8192x128/16 8192x2048/16]

verl's own worker computes the n answers to one prompt with one long video as one micro-batch: without the switch, and
with it. Widths are a released model's divided by `--scale`, prompts and answers are divided by a scale of their own:
equal ones keep the proportions of a layer's work (patches of pixels keep their size). There are fewer layers, and the
tower's depth and the output layer are cut alike. Gradient checkpointing is on, as in the recipes. The families run
beside each other, with one thread each; both sides in turn, medians of 2 to 5 rounds.

CPU s: user + system; the update's without the optimizer's step, which costs the same on both sides. tokens: that the
language model computes. MB: the most that activations and their gradients take at a moment (activations.py).
The rollout is not in the table: rollout_prefill.py measures it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from videossr_verl.families import families

SCRIPT = Path(__file__).parent / "trainer_passes.py"
PASSES = ("reference", "old log-probs", "update")
LEAST_SHARE = 0.85  # of the saved tokens, that time and memory of reference and update must show
MOST_FOR_TWICE = 1.3  # times the seconds, for twice the answers, where they are short
SHORT = 1 / 32  # of the prompt
HEADER = ("family", "prompt + answer", "n", "pass", *("CPU s", "", ""), *("tokens", "", ""), *("MB", "", ""))


class Lengths(NamedTuple):
    """Tokens of a prompt and of each answer, and what both are divided by."""

    prompt: int
    answer: int
    scale: int

    @classmethod
    def read(cls, text: str) -> Lengths:
        """Reads PROMPTxANSWER/SCALE."""
        found = re.fullmatch(r"(\d+)x(\d+)/(\d+)", text)
        lengths = cls(*map(int, found.groups())) if found else None
        if lengths is None or not 0 < lengths.scale <= min(lengths):
            raise argparse.ArgumentTypeError(f"'{text}' is not PROMPTxANSWER/SCALE, as in 8192x128/16")
        return lengths

    def __str__(self) -> str:
        return f"({self.prompt} + {self.answer}) / {self.scale}"


class Row(NamedTuple):
    """One pass over one group; pairs are stock's and ours."""

    family: str
    lengths: Lengths
    rollouts: int
    name: str
    seconds: tuple[float, float]
    tokens: tuple[int, int]
    bytes: tuple[int, int]

    def share(self, what: str) -> float:
        """How much less of `what` ours took, over how many tokens less it computed."""
        return _ratio(getattr(self, what)) / _ratio(self.tokens)

    def __str__(self) -> str:
        return f"{self.family}, {self.lengths}, n = {self.rollouts}, {self.name}"


class Goal(NamedTuple):
    """The row that is farthest from a goal."""

    text: str
    worst: float
    row: Row
    met: bool


def _ratio(pair: tuple[float, float]) -> float:
    return pair[0] / pair[1]


def measured(family: str, args: argparse.Namespace) -> Iterator[Row]:
    """Rows of one family, from a process of its own."""
    command = [sys.executable, str(SCRIPT), family, *("--scale", str(args.scale), "--layers", str(args.layers))]
    command += ["--rounds", str(args.rounds), "--rollouts", *map(str, args.rollouts)]
    command += ["--lengths", *(f"{lengths.prompt}x{lengths.answer}/{lengths.scale}" for lengths in args.lengths)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=one_thread) as process:
        for line in process.stdout or ():
            if line.startswith("{"):
                yield _read(json.loads(line))
    if process.returncode:
        raise SystemExit(f"{SCRIPT.name} failed for {family}")


def _read(line: dict[str, Any]) -> Row:
    pairs = (tuple(line[name]) for name in ("seconds", "tokens", "bytes"))
    return Row(line["family"], Lengths.read(line["lengths"]), line["rollouts"], line["pass"], *pairs)


def measure_all(args: argparse.Namespace) -> list[Row]:
    """All rows, family by family."""
    total = len(args.family) * len(args.lengths) * len(args.rollouts) * len(PASSES)
    with tqdm(total=total, unit="pass") as bar, ThreadPoolExecutor() as pool:

        def collect(family: str) -> list[Row]:
            found = []
            for row in measured(family, args):
                found.append(row)
                bar.update()
            return found

        return [row for rows in pool.map(collect, args.family) for row in rows]


def judge(rows: list[Row]) -> Iterator[Goal]:
    """Says of each goal that the rows can show how near the worst of them comes."""
    for what, words in (("seconds", "times less CPU s"), ("bytes", "times less memory")):
        worst = min((row for row in rows if row.name in ("reference", "update")), key=lambda row: row.share(what))
        text = f"reference and update: {words} / times fewer tokens, at least {LEAST_SHARE}"
        yield Goal(text, worst.share(what), worst, worst.share(what) >= LEAST_SHARE)
    ours = {row[:4]: row.seconds[1] for row in rows}
    grown = []
    for row in rows:
        half = ours.get((row.family, row.lengths, row.rollouts / 2, row.name))
        if half is not None and row.lengths.answer <= SHORT * row.lengths.prompt:
            grown.append((row.seconds[1] / half, row))
    if grown:
        most, row = max(grown)
        text = f"ours, short answers: CPU s for n / CPU s for n / 2, at most {MOST_FOR_TWICE}"
        yield Goal(text, most, row, most <= MOST_FOR_TWICE)


def cells(row: Row) -> list[str]:
    """The row of the table."""
    found = [row.family, str(row.lengths), str(row.rollouts), row.name]
    for pair, form in ((row.seconds, ".2f"), (row.tokens, "d"), (tuple(b / 1e6 for b in row.bytes), ".1f")):
        found += [*(format(value, form) for value in pair), f"{_ratio(pair):.2f}"]
    return found


def main() -> None:
    """Prints two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", nargs="+", choices=families(), default=["qwen2_5_vl", "qwen3_vl"])
    lengths = [Lengths(2048, 32, 8), Lengths(8192, 128, 16), Lengths(8192, 2048, 16)]
    parser.add_argument("--lengths", nargs="+", type=Lengths.read, default=lengths, metavar="PROMPTxANSWER/SCALE")
    parser.add_argument("--rollouts", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--scale", type=int, default=8, help="widths are divided by it")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="at most; long passes have fewer")
    args = parser.parse_args()
    if min(args.scale, args.layers, args.rounds, *args.rollouts) < 1:
        parser.error("all numbers must be at least 1")
    rows = measure_all(args)
    print(f"Widths divided by {args.scale}, {args.layers} layers; stock, ours, stock / ours\n")
    print(f"| {' | '.join(HEADER)} |\n|{' --- |' * len(HEADER)}")
    for row in rows:
        print(f"| {' | '.join(cells(row))} |")
    print("\n| goal | worst | where | met |\n| --- | --- | --- | --- |")
    for goal in judge(rows):
        print(f"| {goal.text} | {goal.worst:.2f} | {goal.row} | {'yes' if goal.met else 'no'} |")


if __name__ == "__main__":
    main()
