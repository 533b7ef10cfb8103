"""Prints the table of docs/tasks/README.md from what `make.sh` measured: python table.py RUN TINY_PRESET..."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

_LEARNERS = ("whole", "blind", "single_frame", "shuffled_frames")
_HEAD = ("task", "chance", "best rule without learning", "tiny: chance", "rule", "learner: whole videos", "blind")


def rules(file: Path) -> dict[str, dict[str, Any]]:
    """Returns what `videossr controls` found, by subset."""
    return {one["subset"]: one for one in json.loads(file.read_text())["subsets"]}


def lines(run: Path, presets: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yields the cells of each subset of the presets."""
    full = rules(run / "full" / "rules" / "controls.json")
    for preset in presets:
        tiny = rules(run / preset / "rules" / "controls.json")
        learners = json.loads((run / preset / "learners.json").read_text())
        for subset, earned in learners.items():
            yield (
                subset.replace("_", " "),
                *_rule(full[subset], named=True),
                *_rule(tiny[subset], named=False),
                *(f"{earned[kind]['reward']:.2f}" for kind in _LEARNERS),
            )


def _rule(one: dict[str, Any], named: bool) -> tuple[str, str]:
    best = f"{one['attack']['reward']:.2f}"
    return f"{one['constant']['chance']:.2f}", f"{best}, {one['rule']}" if named else best


def main() -> None:
    """Prints the table."""
    head = (*_HEAD, "single frame", "shuffled frames")
    rows = [head, ["---"] * len(head), *lines(Path(sys.argv[1]), sys.argv[2:])]
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))


if __name__ == "__main__":
    main()
