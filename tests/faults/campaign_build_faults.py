"""`videossr build` while the disk fails: at reading videos, at reading and writing its own files, for want of files."""

from __future__ import annotations

import errno
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from faulty_calls import compile_library, environment

from videossr_verl.tiny.generated_videos import generate_videos

NAME = "I/O faults under a build"
MEANS = (
    "the build fails with an error and an exit code other than 0, or writes the same bytes as without faults; the same "
    "command then writes them"
)
TRIES = 24

# calls, on the videos or on OUT, error, one in so many
FAULTS = (
    ("r", "videos", errno.EIO, 40),
    ("o", "videos", errno.EIO, 20),
    ("w", "out", errno.ENOSPC, 40),
    ("f", "out", errno.EIO, 3),
    ("m", "out", errno.EIO, 20),
    ("o", "out", errno.EMFILE, 40),
    ("r", "out", errno.EIO, 40),
    ("r", "videos", errno.ENOMEM, 40),
    ("o", "videos", errno.ENFILE, 20),
    ("r", "videos", errno.ESTALE, 15),
    ("a", "any", errno.ENOMEM, 200),
    ("r", "videos", errno.ETIMEDOUT, 6),
)


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """Each of FAULTS in turn under a build of its own, and a build without faults behind it."""
    library, videos = compile_library(folder), folder / "videos"
    generate_videos(videos, 4, seed=0, seconds=2.0)
    (videos / "broken.mp4").write_bytes(b"not a video")
    code, message = _build(videos, folder / "reference")
    if code:
        raise RuntimeError(f"the build fails without faults: {message}")
    reference = _sums(folder / "reference")
    for number in range(tries):
        calls, where, error, one_in = FAULTS[number % len(FAULTS)]
        out = folder / f"out_{number}"
        path = {"videos": f"{videos}/", "out": f"{out}/", "any": ""}[where]
        faults = environment(library, calls, path, error, one_in=one_in, seed=seed + number)
        code, message = _build(videos, out, faults)
        first = _sums(out) == reference
        again, _ = _build(videos, out)
        last = _sums(out) == reference
        one_sentence = code == 0 or "Traceback" not in message
        outcome = f"exit code {code}, {'the same' if first else 'nothing' if code else 'OTHER BYTES'}"
        outcome += f"; again {again}, {'the same' if last else 'OTHER BYTES'}{'' if one_sentence else ', TRACEBACK'}"
        survived = (code != 0 or first) and again == 0 and last
        yield f"{calls} on {where} gives {errno.errorcode[error]}, one in {one_in}: {outcome}", survived


def _build(videos: Path, out: Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    command = [sys.executable, "-m", "videossr_verl.cli", "build", str(videos), "--out", str(out), "--workers", "1"]
    command += ["--preset", "videossr_tiny", "--mix", "temporal_jigsaw=4,object_counting=3", "--test-count", "2"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    return done.returncode, done.stderr


def _sums(out: Path) -> dict[str, str]:
    files = sorted(path for path in out.glob("*") if path.is_file()) if out.is_dir() else []
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
