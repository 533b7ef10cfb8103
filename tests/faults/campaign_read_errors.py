"""Read errors while a video is listed, probed and decoded: the same frames as without, or an error of the machine.

Each try fails the n-th read of the file, n = 1, 2, ... in turn, in one process under `faulty_calls.c`.
"""

from __future__ import annotations

import ctypes
import errno
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from damaged_videos import VIDEOS, write
from faulty_calls import compile_library, environment

from videossr_verl.errors import MachineError
from videossr_verl.video import frame_index
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import probe
from videossr_verl.video.rejected import VideoRejected

NAME = "read errors while a video is decoded"
MEANS = "the frames, their list and the content id are as without the error, or the machine is blamed, never the video"
TRIES = 400

ERRORS = (errno.EIO, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT)
NAMES = tuple(name for name in VIDEOS if name not in ("h264_open_groups.mp4", "mpeg4.mp4"))
TIMES, SIZE = (0.1, 0.9, 2.2), (56, 56)


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """The reads of each video in turn, from a place that `seed` chooses."""
    library = compile_library(folder)
    for name in NAMES:
        write(folder / name)
    command = [sys.executable, __file__, str(library), str(folder), str(tries), str(seed)]
    where = ":".join(sys.path)
    done = subprocess.Popen(
        command, env=environment(library, "", "", 0) | {"PYTHONPATH": where}, stdout=subprocess.PIPE, text=True
    )
    for line in done.stdout or ():
        yield tuple(json.loads(line))
    if done.wait() != 0:
        yield f"the process ended with exit code {done.returncode}", False


def _all_ways(path: str) -> list[np.ndarray]:
    frame_index._indexes = frame_index._IndexCache()
    info = probe(path)
    return [np.array([info.pts, [int(info.content_id, 16) >> 16] * len(info.pts)]), decode(path, TIMES, SIZE)]


def _tries(library: str, folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    faulty = ctypes.CDLL(library)
    sound = {name: _all_ways(str(folder / name)) for name in NAMES}
    for number in range(tries):
        name, error = NAMES[number % len(NAMES)], ERRORS[number // len(NAMES) % len(ERRORS)]
        nth = seed + number // len(NAMES) + 1
        path = str(folder / name)
        faulty.faulty_calls_set(b"r", path.encode(), error, 0, nth, 0)
        try:
            found = _all_ways(path)
            same = all(np.array_equal(a, b) for a, b in zip(found, sound[name], strict=True))
            failed = faulty.faulty_calls_failed()
            outcome, survived = ("the same" if same else "OTHER FRAMES") + ("" if failed else ", no read failed"), same
        except MachineError:
            outcome, survived = "error of the machine", True
        except VideoRejected as rejected:
            outcome, survived = f"REJECTED as {rejected.reason.value}", False
        faulty.faulty_calls_set(b"", b"", 0, 0, 0, 0)
        yield f"{name}, read {nth} gives {errno.errorcode[error]}: {outcome}", survived


if __name__ == "__main__":
    for outcome in _tries(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])):
        print(json.dumps(outcome), flush=True)
