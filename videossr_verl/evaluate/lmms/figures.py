"""Computes a benchmark's number from the sample files that lmms-eval writes (--log_samples), with nothing left out.

lmms-eval's own figures treat an answer that is missing or unreadable in five ways, from "dropped" to "a random
letter". Here every sample counts, and what cannot be read is wrong. Kinds of figure (benchmarks.yaml):
    mean: PATH, times: N      mean of a number in each sample
    equal: [PATH, PATH]       share of samples where two texts are the same
    letter: PATH              share where the answer's letter (see `choice`) is the first of the text there
    result: KEY               lmms-eval's own figure, where it counts so already
A PATH leads through a sample's keys: "mvbench_accuracy/score". where: {PATH: VALUE} keeps some samples only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from videossr_verl.errors import BadInput
from videossr_verl.evaluate.lmms.benchmarks import Benchmark
from videossr_verl.evaluate.lmms.choice import letter


@dataclass(frozen=True)
class Scored:
    """A benchmark's outcome for one model.

    Attributes:
        value: percent.
        recalls: of grounding, percent.
        samples, failed: questions, and those that could not be asked, which count as wrong.
    """

    value: float
    recalls: tuple[float, ...]
    samples: int
    failed: int


def finished(folder: Path) -> bool:
    """Returns whether lmms-eval has written results there, which it does only when every question has been asked."""
    return any(folder.rglob("*_results.json"))


def read_task(folder: Path) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Returns (results by task, samples of all tasks) of the last run in a folder of lmms-eval.

    Raises:
        BadInput: there is none, its samples are missing, or not all questions were asked.
    """
    found = sorted(folder.rglob("*_results.json"))
    if not found:
        raise BadInput(f"no results of lmms-eval are in '{folder}': its run did not finish")
    results = json.loads(found[-1].read_text(encoding="utf-8"))
    stamp = found[-1].name.removesuffix("_results.json")
    samples = []
    for task, counts in results["n-samples"].items():
        file = found[-1].parent / f"{stamp}_samples_{task}.jsonl"
        if not file.is_file():  # lmms-eval writes it after the results, so a kill may fall between them
            raise BadInput(f"'{file}' is missing: delete the folder '{folder}' and run the task again")
        lines = file.read_text(encoding="utf-8").splitlines()
        if not len(lines) == counts["effective"] == counts["original"]:
            raise BadInput(
                f"'{folder}' has {len(lines)} of {counts['original']} questions of {task}: its figure needs all of them"
            )
        samples += [json.loads(line) for line in lines]
    return results["results"], samples


def score(benchmark: Benchmark, folder: Path) -> Scored:
    """Returns the figures of a benchmark that was run into `folder`. Raises BadInput where it did not finish."""
    results, samples = read_task(folder)
    recalls = tuple(_figure(figure, results, samples) for figure in benchmark.recalls)
    return Scored(_figure(benchmark.figure, results, samples), recalls, len(samples), len(failures(folder)))


def failures(folder: Path) -> list[dict[str, Any]]:
    """Returns the entries of the model's state file whose question could not be asked, the last try of each."""
    file = folder / "answers.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    last = {entry["key"]: entry for entry in map(json.loads, lines)}
    return [entry for entry in last.values() if entry["error"]]


def _figure(figure: Mapping[str, Any], results: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> float:
    if "result" in figure:
        return float(next(values[figure["result"]] for values in results.values() if figure["result"] in values))
    for path, wanted in figure.get("where", {}).items():
        samples = [sample for sample in samples if _at(sample, path) == wanted]
    if not samples:
        raise BadInput(f"no sample has {figure.get('where')}: the task has changed")
    return float(np.mean([_percent(figure, sample) for sample in samples]))


def _percent(figure: Mapping[str, Any], sample: Mapping[str, Any]) -> float:
    if "mean" in figure:
        return figure.get("times", 1) * float(_at(sample, figure["mean"]))
    if "equal" in figure:
        first, second = (str(_at(sample, path)).strip() for path in figure["equal"])
        return 100.0 * (first == second)
    answer = sample["filtered_resps"]
    said = letter(answer if isinstance(answer, str) else str(answer[0]))
    return 100.0 * (said == str(_at(sample, figure["letter"])).strip()[:1].upper())


def _at(sample: Any, path: str) -> Any:
    for key in path.split("/"):
        sample = sample[key]
    return sample
