"""How well are copies of a video found by what it shows, and how well are different videos kept apart?

python compare.py     prints three tables: copies by kind, different videos, and the time for a large corpus
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import av
import cv2
import numpy as np
from skimage import data

from data_preprocess.look_alikes import are_alike, group_look_alikes
from videossr_verl.tiny.corpus import real_clips
from videossr_verl.tiny.generated_videos import generate_frames
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import probe
from videossr_verl.video.signature import WORDS, Signature, sign

Film = tuple[np.ndarray, float]  # uint8 (T, H, W, 3), frames per second
HEIGHT = 180


def write(film: Film, path: Path, crf: int = 23) -> Path:
    """H.264; H and W are made even."""
    frames, fps = film
    height, width = (side // 2 * 2 for side in frames.shape[1:3])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=round(fps), options={"crf": str(crf), "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt, stream.thread_count = height, width, "yuv420p", 1
        for frame in frames[:, :height, :width]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    return path


def resize(frames: np.ndarray, factor: float) -> np.ndarray:
    """Both sides times `factor`."""
    return np.stack([cv2.resize(f, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) for f in frames])


def crop(frames: np.ndarray, share: float) -> np.ndarray:
    """Without `share` of each side, half of it at either end."""
    rows, columns = (round(side * share / 2) for side in frames.shape[1:3])
    return frames[:, rows : frames.shape[1] - rows, columns : frames.shape[2] - columns]


def brighten(frames: np.ndarray) -> np.ndarray:
    """A tenth more contrast, 15 of 255 brighter."""
    return np.stack([cv2.convertScaleAbs(frame, alpha=1.1, beta=15) for frame in frames])


def cut(film: Film, start: float, end: float = 1e9) -> Film:
    """From `start` to `end` seconds."""
    frames, fps = film
    return frames[round(start * fps) : round(min(end, len(frames) / fps) * fps)], fps


def at_rate(film: Film, fps: float) -> Film:
    """Another frame rate, the same speed."""
    frames, old = film
    return frames[(np.arange(int(len(frames) / old * fps)) * old / fps).astype(int)], fps


def with_logo(frames: np.ndarray) -> np.ndarray:
    """A white plate in a corner, 2 % of the picture."""
    changed = frames.copy()
    height, width = frames.shape[1:3]
    changed[:, height // 20 : height // 6, width * 8 // 10 : width * 95 // 100] = 255
    return changed


# Kind -> (how the copy is made, its crf). The last five are not all found.
COPIES: dict[str, tuple[Callable[[Film], Film], int]] = {
    "encoded anew at crf 35": (lambda f: f, 35),
    "60 % of the size": (lambda f: (resize(f[0], 0.6), f[1]), 23),
    "3 % cropped": (lambda f: (crop(f[0], 0.03), f[1]), 23),
    "brighter": (lambda f: (brighten(f[0]), f[1]), 23),
    "17 frames a second": (lambda f: at_rate(f, 17), 23),
    "without its first 1.1 s": (lambda f: cut(f, 1.1), 23),
    "2.5 s of it": (lambda f: cut(f, 0.9, 3.4), 23),
    "all but the last at once": (
        lambda f: at_rate((brighten(crop(resize(*cut(f, 1.1)[:1], 0.6), 0.03)), f[1]), 17),
        32,
    ),
    "1.7 s of it": (lambda f: cut(f, 0.9, 2.6), 23),
    "6 % cropped": (lambda f: (crop(f[0], 0.06), f[1]), 23),
    "with a logo": (lambda f: (with_logo(f[0]), f[1]), 23),
    "letterboxed": (lambda f: (np.pad(f[0], ((0, 0), (HEIGHT // 8,) * 2, (0, 0), (0, 0))), f[1]), 23),
    "mirrored": (lambda f: (f[0][:, :, ::-1], f[1]), 23),
}


def originals() -> dict[str, Film]:
    """Three real clips, eight generated scenes, and eight slow pans over photos."""
    films = {}
    for path in real_clips():
        if "distorted" not in path.name:
            info = probe(path)
            size = (HEIGHT, round(info.width * HEIGHT / info.height / 2) * 2)
            films[path.stem] = (decode(path, info.pts, size), (len(info.pts) - 1) / info.pts[-1])
    films |= {f"scene {i}": (generate_frames(np.random.default_rng([7, i]), 48, 12), 12.0) for i in range(8)}
    photos = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "rocket")
    films |= {name: (pan(getattr(data, name)(), np.random.default_rng(i)), 12.0) for i, name in enumerate(photos)}
    return films


def pan(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Five seconds from one place of the photo to another, closing in."""
    photo = np.stack([photo] * 3, axis=-1) if photo.ndim == 2 else photo[..., :3]
    height, width = photo.shape[:2]
    start, end = rng.uniform(0, 1, (2, 2))
    frames = []
    for t in np.linspace(0, 1, 60):
        side = int(min(height, width) * (0.7 - 0.2 * t))
        y, x = ((1 - t) * start + t * end) * (height - side, width - side)
        frames.append(cv2.resize(photo[int(y) : int(y) + side, int(x) : int(x) + side], (HEIGHT, HEIGHT)))
    return np.stack(frames)


def one_camera(share: float) -> list[Film]:
    """Two videos of one unmoving camera; in each another thing, of `share` of the picture, goes another way."""
    background = cv2.resize(data.coffee(), (240, HEIGHT))
    side = round((share * 240 * HEIGHT) ** 0.5)
    films = []
    for number, photo in enumerate((data.astronaut(), data.chelsea())):
        thing = cv2.resize(photo, (side, side))
        frames = np.stack([background] * 96)
        for i, frame in enumerate(frames):
            y = round((HEIGHT - side) * (0.5 + 0.5 * np.cos(i / 20 + number)))
            x = round((240 - side) * (0.5 + 0.5 * np.sin(i / 15 + 2 * number)))
            frame[y : y + side, x : x + side] = thing
        films.append((frames, 12.0))
    return films


def corpus(count: int, copies: int) -> dict[str, Signature]:
    """Signatures of `count` videos of 10 to 60 seconds in up to 12 shots, and of noisy, trimmed copies of some."""
    rng = np.random.default_rng(0)

    def noisy(hashes: np.ndarray, share: float) -> np.ndarray:
        flipped = (rng.random((*hashes.shape, 64)) < share).astype(np.uint64)
        return hashes ^ (flipped << np.arange(64, dtype=np.uint64)).sum(axis=-1, dtype=np.uint64)

    def signature(hashes: np.ndarray) -> Signature:
        return Signature(np.arange(len(hashes), dtype=np.int32), hashes)

    videos = {}
    for i in range(count):
        shots = rng.integers(0, 2**64, (rng.integers(1, 13), WORDS), dtype=np.uint64, endpoint=False)
        videos[f"{i:016x}"] = signature(noisy(shots[np.sort(rng.integers(0, len(shots), rng.integers(80, 481)))], 0.03))
    for i in range(copies):
        videos[f"copy of {i:016x}"] = signature(noisy(videos[f"{i:016x}"].hashes[rng.integers(0, 40) :], 0.08))
    return videos


def main() -> None:
    """Prints the tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        films = originals()
        signatures = {name: sign(write(film, path)) for name, film in films.items()}
        print(f"{'copies':<40} found")
        for kind, (change, crf) in COPIES.items():
            copies = {name: sign(write(change(film), path, crf)) for name, film in films.items()}
            pairs = [{"original": signatures[name], "copy": copies[name]} for name in films]
            found = sum(len(set(group_look_alikes(pair).values())) == 1 for pair in pairs)
            print(f"{kind:<40} {found} of {len(films)}")
        pairs = list(combinations(signatures.values(), 2))
        print(f"\n{'different videos':<40} taken for one\n{'different scenes':<40} ", end="")
        print(f"{sum(are_alike(*pair) for pair in pairs)} of {len(pairs)} pairs")
        for share in (0.02, 0.08, 0.25):
            alike = are_alike(*(sign(write(film, path)) for film in one_camera(share)))
            print(f"{f'one camera, things of {share:.0%} differ':<40} {int(alike)} of 1 pairs")
    videos = corpus(20_000, 1000)
    start = time.perf_counter()
    groups = group_look_alikes(videos)
    found = sum(groups[f"copy of {i:016x}"] == groups[f"{i:016x}"] for i in range(1000))
    false = len(videos) - found - len(set(groups.values()))
    print(f"\n{len(videos)} videos, {sum(len(v.places) for v in videos.values())} pictures: ", end="")
    print(f"{time.perf_counter() - start:.1f} s; {found} of 1000 copies found, {false} pairs joined wrongly")


if __name__ == "__main__":
    main()
