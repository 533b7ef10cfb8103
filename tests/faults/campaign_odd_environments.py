"""A build in environments that are odd, and yet allowed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from small_disk import can_mount, on_small_disk
from tiny_build import build_command, contents, make_reference

NAME = (
    "odd environments: names of folders, languages, temporary folders, another Ray, read-only homes, no shared memory"
)
MEANS = "it gives the same bytes as an ordinary environment"
TRIES = 24
FOLDERS = (
    "jürgen/my runs (2)",
    "a=b,c#d",
    "it's",
    'say "x"',
    "$HOME ${HOME}",
    "back\\slash",
    "[x] {y}",
    "-dash",
    "日本語",
    "%s %20",
    " ",
    "*",
)
VARIABLES: dict[str, dict[str, str]] = {
    "an ordinary one": {},
    "LANG=C": {"LANG": "C", "LC_ALL": "C"},
    "LC_ALL=POSIX without UTF-8": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a long TMPDIR": {"TMPDIR": "{long}"},
    "somebody's RAY_ADDRESS": {"RAY_ADDRESS": "192.0.2.1:6379"},
    "a HOME that is not there": {"HOME": "/nowhere"},
    "a HOME that is read-only": {"HOME": "{disk}"},
}


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """A folder's name and an environment at a time, each of both in turn from a random start."""
    chosen = random.Random(seed)
    names, environments = chosen.sample(FOLDERS, len(FOLDERS)), chosen.sample(list(VARIABLES), len(VARIABLES))
    videos, wanted = make_reference(folder, seed)
    disk, long = folder / "disk", folder / ("long" * 50)
    for made in (disk, long):
        made.mkdir(exist_ok=True)
    for number in range(tries):
        name, environment = names[number % len(names)], environments[number % len(environments)]
        there, out = folder / str(number) / name / "videos", folder / str(number) / name / "out"
        shutil.copytree(videos, there)
        values = {key: value.format(long=long, disk=disk) for key, value in VARIABLES[environment].items()}
        command = ["env", *(f"{key}={value}" for key, value in values.items()), *build_command(there, out)]
        if "{disk}" in VARIABLES[environment].values() and can_mount():
            finished = on_small_disk(disk, "1m", 'mount -o remount,ro "$0"; "$@"', *command)
        else:
            finished = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder, env=os.environ)
        last = (finished.stderr.strip().splitlines() or [""])[-1]
        same = all(contents(out).get(name) == contents(wanted)[name] for name in ("train.parquet", "test.parquet"))
        yield f"{environment}, folder {name!r}: code {finished.returncode}, {last[-200:]}", same
