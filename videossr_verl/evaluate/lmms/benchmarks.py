"""What we know about the paper's benchmarks: tasks, figures, prompts, published scores (benchmarks.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

PROMPT = "\nAnswer with the option letter directly."  # VideoSSR, Fig. 7


@dataclass(frozen=True)
class Benchmark:
    """One benchmark of the paper.

    Attributes:
        tasks: of lmms-eval.
        figure: how the number comes from the samples, see `figures`.
        remove: instructions of the task's own prompt; None leaves that prompt.
        published: by number of frames, base and VideoSSR, percent.
        recalls: of grounding, figures of recall at IoU 0.3, 0.5 and 0.7.
        published_recalls: by number of frames, the three of the base and those of VideoSSR.
        note: what differs from the paper.
    """

    name: str
    tasks: tuple[str, ...]
    figure: Mapping[str, Any]
    remove: tuple[str, ...] | None = None
    published: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    recalls: tuple[Mapping[str, Any], ...] = ()
    published_recalls: Mapping[int, Any] = field(default_factory=dict)
    note: str = ""


@cache
def benchmarks() -> dict[str, Benchmark]:
    """Returns the 17 benchmarks, by name, in the paper's order."""
    data = yaml.safe_load(files("videossr_verl.evaluate.lmms").joinpath("benchmarks.yaml").read_text(encoding="utf-8"))
    return {name: _benchmark(name, entry) for name, entry in data.items()}


def _benchmark(name: str, entry: Mapping[str, Any]) -> Benchmark:
    lists = {key: tuple(entry[key]) for key in ("tasks", "remove", "recalls") if key in entry}
    return Benchmark(name, **{**entry, **lists})


def task_folder() -> Path:
    """Returns the folder that lmms-eval's --include_path needs."""
    return Path(str(files("videossr_verl.evaluate.lmms"))) / "tasks"


def paper_prompt(task: str, text: str) -> str:
    """Returns the task's question with the paper's instruction in place of its own, or unchanged if the paper's is not
    known.

    Raises:
        ValueError: the question does not hold the instruction that is known of the task.
    """
    benchmark = next((b for b in benchmarks().values() if any(task.startswith(t) for t in b.tasks)), None)
    if benchmark is None or benchmark.remove is None:
        return text
    for instruction in benchmark.remove:
        if instruction not in text:
            raise ValueError(f"the prompt of task {task} does not hold {instruction!r}: give prompts=task")
        text = text.replace(instruction, "")
    return text.rstrip("\n") + PROMPT
