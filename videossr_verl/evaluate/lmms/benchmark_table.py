"""The benchmarks as tables: which task runs each of them, and one's own scores beside the published ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from videossr_verl.errors import BadInput
from videossr_verl.evaluate.lmms.benchmarks import Benchmark, benchmarks
from videossr_verl.evaluate.lmms.figures import Scored, failures, finished, read_task, score
from videossr_verl.files.whole_file import write_whole

FRAMES = (32, 48, 64)
BASE, TRAINED = "Qwen3-VL-8B (published)", "VideoSSR-8B (published)"


def overview() -> str:
    """Returns a line for each benchmark: the task that runs it, and what differs or is needed."""
    lines = ["| benchmark | lmms-eval task | what differs, or is needed |", "| --- | --- | --- |"]
    lines += [f"| {b.name} | `{', '.join(b.tasks)}` | {b.note} |" for b in benchmarks().values()]
    return "\n".join(lines) + "\n"


def write_table(runs: Mapping[str, Path], frames: int, out: Path | None = None) -> str:
    """Tabulates the scores of each model's folder of results (recipes/benchmarks.sh), beside the published ones at that
    many frames.

    Args:
        runs: name of a model -> folder with one folder for each task that was run.
        out: where benchmarks.md, benchmarks.json and failed.jsonl go.

    Raises:
        BadInput: a folder holds no tasks, or one of which some questions were not asked.
    """
    scored = {name: _scored(folder) for name, folder in runs.items()}
    others = {name: _others(folder) for name, folder in runs.items()}
    text = _table(scored, frames) + _recall_table(scored, frames) + _other_table(others)
    failed = [
        {"model": name, **{k: entry[k] for k in ("task", "doc_id", "error")}}
        for name, folder in runs.items()
        for task in _task_folders(folder)
        for entry in failures(task)
    ]
    unfinished = [f"{name}/{t.name}" for name, folder in runs.items() for t in _task_folders(folder) if not finished(t)]
    if unfinished:
        text += f"\nNot finished: {', '.join(unfinished)}\n"
    if failed:
        text += f"\n{len(failed)} questions could not be asked; they count as wrong, the first: {failed[0]}\n"
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "benchmarks.md", text)
        data = {name: {b: asdict(s) for b, s in of_model.items()} for name, of_model in scored.items()}
        write_whole(out / "benchmarks.json", json.dumps(data, indent=2) + "\n")
        write_whole(out / "failed.jsonl", "".join(json.dumps(entry) + "\n" for entry in failed))
    return text


def _task_folders(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not found:
        raise BadInput(f"'{folder}' holds no results: give a folder that recipes/benchmarks.sh wrote for a model")
    return found


def _scored(folder: Path) -> dict[str, Scored]:
    of_task = {task: benchmark for benchmark in benchmarks().values() for task in benchmark.tasks}
    tasks = [task for task in _task_folders(folder) if task.name in of_task and finished(task)]
    return {of_task[task.name].name: score(of_task[task.name], task) for task in tasks}


def _others(folder: Path) -> dict[str, float]:
    """Returns lmms-eval's own figures for tasks that the paper does not have."""
    known = {task for benchmark in benchmarks().values() for task in benchmark.tasks}
    found: dict[str, float] = {}
    for task in _task_folders(folder):
        if task.name not in known and finished(task):
            results, _ = read_task(task)
            for name, values in results.items():
                numbers = {k: v for k, v in values.items() if isinstance(v, (int, float)) and "_stderr" not in k}
                found |= {f"{name} {key.split(',')[0]}": value for key, value in numbers.items()}
    return found


def _table(scored: Mapping[str, Mapping[str, Scored]], frames: int) -> str:
    head = ["benchmark", BASE, TRAINED, *scored, "questions", "failed"]
    lines = [f"Percent, at most {frames} frames", "", f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for benchmark in benchmarks().values():
        own = [of_model.get(benchmark.name) for of_model in scored.values()]
        ran = [one for one in own if one]
        cells = [*_published(benchmark, frames), *("-" if one is None else f"{one.value:.1f}" for one in own)]
        cells += [str(ran[0].samples) if ran else "-", str(sum(one.failed for one in ran)) if ran else "-"]
        lines.append(f"| {benchmark.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _published(benchmark: Benchmark, frames: int) -> list[str]:
    found = benchmark.published.get(frames)
    return [f"{value:.1f}" for value in found] if found else ["-", "-"]


def _recall_table(scored: Mapping[str, Mapping[str, Scored]], frames: int) -> str:
    ran = [b for b in benchmarks().values() if b.recalls and any(b.name in of_model for of_model in scored.values())]
    if not ran:
        return ""
    head = ["R1@0.3 / 0.5 / 0.7", BASE, TRAINED, *scored]
    lines = ["", f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for benchmark in ran:
        known = benchmark.published_recalls.get(frames) or [(), ()]
        own = [of_model[benchmark.name].recalls if benchmark.name in of_model else () for of_model in scored.values()]
        lines.append(f"| {benchmark.name} | {' | '.join(map(_three, [*known, *own]))} |")
    return "\n".join(lines) + "\n"


def _three(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.1f}" for value in values) or "-"


def _other_table(others: Mapping[str, Mapping[str, float]]) -> str:
    keys = dict.fromkeys(key for of_model in others.values() for key in of_model)
    if not keys:
        return ""
    lines = ["", "Other tasks, as lmms-eval reports them", ""]
    lines += [f"| task | {' | '.join(others)} |", "|" + " --- |" * (len(others) + 1)]
    for key in keys:
        cells = [f"{of_model[key]:.4g}" if key in of_model else "-" for of_model in others.values()]
        lines.append(f"| {key} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
