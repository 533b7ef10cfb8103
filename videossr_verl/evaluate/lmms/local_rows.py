"""Public benchmarks that lmms-eval lacks, read from files on this machine as their authors publish them.

VIDEO_BENCHMARKS=DIR names the folder; a benchmark is DIR/<name>, with its annotations and, at any depth, its videos.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import datasets

from videossr_verl.video.suffixes import has_video_suffix


def folder_of(benchmark: str) -> Path:
    """Returns DIR/<benchmark>. If it is missing, ends the process with one sentence, as lmms-eval's tasks do."""
    root = os.environ.get("VIDEO_BENCHMARKS")
    if not root:
        sys.exit("set VIDEO_BENCHMARKS to the folder that holds the benchmarks' annotations and videos")
    folder = Path(root, benchmark).resolve()
    if not folder.is_dir():
        sys.exit(f"'{folder}' is not there: put the annotations and videos of {benchmark} into it")
    return folder


def annotation(benchmark: str, *names: str) -> Path:
    """Returns the first of the files that is in the benchmark's folder, at any depth."""
    for name in names:
        found = sorted(folder_of(benchmark).rglob(name))
        if found:
            return found[0]
    sys.exit(f"none of {', '.join(names)} is in '{folder_of(benchmark)}': download the benchmark's annotations into it")


def read_json_lines(path: Path) -> list[Any]:
    """Returns the objects of a .jsonl file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_json(path: Path) -> Any:
    """Returns the data of a .json file."""
    return json.loads(path.read_text(encoding="utf-8"))


def as_dataset(rows: Iterable[Mapping[str, Any]]) -> datasets.Dataset:
    """Returns the rows as `process_docs` must give them back."""
    return datasets.Dataset.from_list([dict(row) for row in rows])


def video_of(benchmark: str, name: str) -> str:
    """Returns the file of a video named with or without folder and ending.

    Raises:
        FileNotFoundError: it is not there; the question counts as wrong and is listed.
    """
    folder = folder_of(benchmark)
    inside = not os.path.isabs(name) and not os.path.normpath(name).startswith(os.pardir)
    if inside and os.path.isfile(folder / name):
        return str(folder / name)
    found = _videos(str(folder)).get(Path(name).name) or _videos(str(folder)).get(Path(name).stem)
    if found is None:
        raise FileNotFoundError(f"video '{name}' of {benchmark} is not in '{folder}'")
    return found


@cache
def _videos(folder: str) -> dict[str, str]:
    """Returns the videos in the folder by file name, and by name without ending."""
    files = sorted(path for path in Path(folder).rglob("*") if has_video_suffix(path.name))
    return {path.stem: str(path) for path in files} | {path.name: str(path) for path in files}
