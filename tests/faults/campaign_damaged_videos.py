"""Damaged videos, decoded as training does: a clip is rejected, or each of its frames looks as it should.

Of the codecs in WITHOUT_ERRORS this holds less often; `python tests/faults/campaign_damaged_videos.py` tells of each.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from damaged_videos import DAMAGES, VIDEOS, WITHOUT_ERRORS, damage, write

from videossr_verl.tasks.frames.visibility import MIN_CHANGE, changes
from videossr_verl.video.decode import decode
from videossr_verl.video.frame_index import frame_index
from videossr_verl.video.rejected import VideoRejected

NAME = "damaged videos"
MEANS = "the clip is rejected, or every shown frame looks as in the sound file; HEVC and VP9 cannot tell, so are exempt"
TRIES = 300

CLIP, SIZE = 16, (64, 64)


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """One damage each of the codecs that tell, in turn."""
    names = [name for name in VIDEOS if name not in WITHOUT_ERRORS]
    yield from ((what, bad == 0) for what, bad in _clips(folder, names, tries, seed))


def _clips(folder: Path, names: list[str], tries: int, seed: int) -> Iterator[tuple[str, int]]:
    """What was done and came out, and how many of the shown frames look wrong."""
    sound = {}
    for name in names:
        path = str(write(folder / name))
        index = frame_index(path)
        sound[name] = index.ticks * index.tick, decode(path, index.times, SIZE)
    for number in range(tries):
        name, kind = names[number % len(names)], DAMAGES[number // len(names) % len(DAMAGES)]
        rng = np.random.default_rng([seed, number])
        path = folder / f"damaged_{number}_{name}"
        path.write_bytes(damage((folder / name).read_bytes(), kind, rng))
        try:
            bad = _wrong_frames(str(path), *sound[name], rng)
            yield f"{name}, {kind}: {bad} of {CLIP} frames wrong", bad
        except VideoRejected as error:
            yield f"{name}, {kind}: {error.reason.value}", 0
        path.unlink()


def _wrong_frames(path: str, times: np.ndarray, frames: np.ndarray, rng: np.random.Generator) -> int:
    index = frame_index(path)
    asked = np.sort(rng.uniform(0, index.times[-1], CLIP))
    shown = decode(path, asked, SIZE)
    at = index.ticks[index.nearest(asked)] * index.tick
    same = np.abs(times[None] - at[:, None]).argmin(axis=1)
    return int((changes(frames[same], shown) >= MIN_CHANGE).sum())


if __name__ == "__main__":
    counts: dict[str, Counter[str]] = {name: Counter() for name in VIDEOS}
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as scratch:
        for what, bad in _clips(Path(scratch), list(VIDEOS), tries * len(VIDEOS), seed=0):
            outcome = "wrong" if bad else "right" if what.endswith("wrong") else "rejected"
            counts[what.split(",")[0]][outcome] += 1
    for name, found in counts.items():
        print(name, *(f"{outcome} {found[outcome]}" for outcome in ("rejected", "right", "wrong")))
