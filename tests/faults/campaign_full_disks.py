"""The disk is full: while verl saves a checkpoint, a dataset is built, or answers are scored."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from small_disk import can_mount, on_small_disk
from tiny_build import build_command, contents, make_reference

from videossr_verl.evaluate.answers import Answer, append_answer

NAME = "a disk that is full during a build, an evaluation or a checkpoint"
MEANS = (
    "it ends with one sentence and exit code 1; with room again it gives the same bytes, or goes on from the "
    "checkpoint before"
)
TRIES = 48
HERE = Path(__file__).parent
MODEL = HERE.parent.parent / "recipes" / "tiny" / "qwen2_5_vl"
SCRIPT = """
"$@"
echo "code $?"
mount -o remount,size=64m "$0"
"$@" || exit
cp -r "$0/out" "{copy}"
"""


def full_saves(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """Saves with too little room, by verl's own checkpoint manager."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        "nice",
        sys.executable,
        str(HERE / "save_on_full_disk.py"),
        str(folder),
        str(MODEL),
        str(tries),
        str(seed),
    ]
    finished = on_small_disk(folder, "120m", '"$@"', *command)
    lines = [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("[")]
    yield from ((f"checkpoint: {what}", survived) for what, survived in lines)
    if finished.returncode or len(lines) != tries:
        yield f"checkpoint: ended with {finished.returncode}: {finished.stderr[-2000:]}", False


def full_builds(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """Builds on disks of some KiB, which the dataset alone would fit on or not."""
    videos, wanted = make_reference(folder, seed)
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    chosen = random.Random(seed)
    for _ in range(tries):
        room = chosen.randrange(4, 320, 4)
        yield _twice("build", build_command(videos, disk / "out"), disk, room, folder / "copy", contents(wanted))


def full_evals(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """Scores of answers that are there, on disks of some KiB."""
    data, wanted, disk = make_reference(folder, seed)[1], folder / "scored", folder / "disk"
    disk.mkdir(exist_ok=True)
    for identity in range(3):
        append_answer(wanted / "answers.jsonl", identity, Answer("1"))
    command = [sys.executable, "-m", "videossr_verl.cli", "eval", "--model", "x", "--data", str(data / "test.parquet")]
    answers = (wanted / "answers.jsonl").read_bytes()
    subprocess.run([*command, "--out", str(wanted)], check=True, capture_output=True)
    assert (wanted / "answers.jsonl").read_bytes() == answers  # all were there
    chosen = random.Random(seed)
    begin = ["sh", "-c", 'mkdir -p "$0" && cp -n "$1" "$0"; shift; exec "$@" --out "$0"', str(disk / "out")]
    for _ in range(tries):
        room = chosen.randrange(8, 48, 4)
        scoring = [*begin, str(wanted / "answers.jsonl"), *command]
        yield _twice("eval", scoring, disk, room, folder / "copy", contents(wanted))


def _twice(
    what: str, command: list[str], disk: Path, room: int, copy: Path, wanted: Mapping[str, bytes]
) -> tuple[str, bool]:
    """The command on a disk of `room` KiB, and again with more: what it said, and whether all is as it should be."""
    shutil.rmtree(copy, ignore_errors=True)
    finished = on_small_disk(disk, f"{room}k", SCRIPT.format(copy=copy), *command)
    said = [line for line in finished.stderr.splitlines() if line.startswith("videossr: ")]
    code = next((line for line in finished.stdout.splitlines() if line.startswith("code ")), "no end")
    ended = (code == "code 0" and not said) or (code == "code 1" and len(said) == 1)
    return f"{what} on {room} KiB: {code} {' '.join(said)}", ended and contents(
        copy
    ) == wanted and "Traceback" not in finished.stderr


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """Mostly saves: the others take ten times as long. Nothing where no disk can be mounted."""
    if not can_mount():
        return
    yield from full_saves(folder / "saves", tries - tries // 6 - tries // 12, seed)
    yield from full_builds(folder / "builds", tries // 6, seed)
    yield from full_evals(folder / "evals", tries // 12, seed)
