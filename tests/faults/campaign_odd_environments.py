"""A build in environments that are odd, and yet allowed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from small_disk import can_mount, on_small_disk

from videossr_verl.tiny.generated_videos import generate_videos

NAME = (
    "odd environments: names of folders, languages, temporary folders, another Ray, read-only homes, no shared memory"
)
MEANS = "the same bytes as in an ordinary one"
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
OPTIONS = ["--preset", "videossr_tiny", "--count", "9", "--test-count", "3", "--workers", "1"]


def _build(videos: Path, out: Path) -> list[str]:
    command = [sys.executable, "-m", "videossr_verl.cli", "build", f"{videos}", "--out", f"{out}", *OPTIONS]
    return [*command, "--data-root", f"{videos}"]


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """A folder's name and an environment at a time, each of both in turn from a random start."""
    chosen = random.Random(seed)
    names, environments = chosen.sample(FOLDERS, len(FOLDERS)), chosen.sample(list(VARIABLES), len(VARIABLES))
    videos, wanted, disk, long = (folder / name for name in ("videos", "wanted", "disk", "long" * 50))
    for made in (videos, disk, long):
        made.mkdir(parents=True, exist_ok=True)
    generate_videos(videos, 3, seed=seed, seconds=2.5)
    subprocess.run(_build(videos, wanted), check=True, capture_output=True)
    for number in range(tries):
        name, environment = names[number % len(names)], environments[number % len(environments)]
        there, out = folder / str(number) / name / "videos", folder / str(number) / name / "out"
        shutil.copytree(videos, there)
        values = {key: value.format(long=long, disk=disk) for key, value in VARIABLES[environment].items()}
        command = ["env", *(f"{key}={value}" for key, value in values.items()), *_build(there, out)]
        if "{disk}" in VARIABLES[environment].values() and can_mount():
            finished = on_small_disk(disk, "1m", 'mount -o remount,ro "$0"; "$@"', *command)
        else:
            finished = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder, env=os.environ)
        last = (finished.stderr.strip().splitlines() or [""])[-1]
        same = all(
            (out / f"{split}.parquet").is_file()
            and (out / f"{split}.parquet").read_bytes() == (wanted / f"{split}.parquet").read_bytes()
            for split in ("train", "test")
        )
        yield f"{environment}, folder {name!r}: code {finished.returncode}, {last[-200:]}", same
