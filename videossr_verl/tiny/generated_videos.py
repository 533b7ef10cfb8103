"""Procedural videos for laptop runs: textured scenes under camera motion, with objects that cross the picture.

They stand in for a corpus, so they have what the pretext tasks need: colour and asymmetry everywhere (mirror, rotation
and channel swap show), motion that never repeats, and light that rises from first to last frame as at dawn (the order
of clips can be seen).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from videossr_verl.files.whole_file import whole_file

# Takes rng, the number of frames, frames per second, height and width; gives uint8 frames (T, H, W, 3).
Scene = Callable[[np.random.Generator, int, float, int, int], np.ndarray]

# x264's rate control by macroblock tree does not give the same bytes twice.
ENCODING = {"crf": "18", "preset": "veryfast", "x264-params": "mbtree=0:rc-lookahead=0"}


def texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Returns a smooth random colour field (size, size, 3) in [0, 255], strong in large and in small structures."""
    field = np.zeros((size, size, 3), np.float32)
    for cells, weight in ((3, 1.0), (6, 0.6), (14, 0.35)):
        coarse = rng.normal(size=(cells, cells, 3)).astype(np.float32)
        field += weight * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    mix, shift = rng.normal(size=(3, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    # Not `field @ mix`: its last bits, and with them the files' bytes, depend on the number of threads.
    field = sum(field[..., i, None] * mix[i] for i in range(3)) + shift
    low, high = np.percentile(field, (2, 98), axis=(0, 1))
    return np.clip((field - low) / (high - low), 0, 1) * rng.uniform(140, 230) + rng.uniform(0, 25)


def generate_frames(
    rng: np.random.Generator, num_frames: int, fps: float, height: int = 112, width: int = 112
) -> np.ndarray:
    """Returns uint8 frames (T, H, W, 3) of one scene: a drifting, zooming texture and two objects on straight paths."""
    world = texture(rng, 4 * max(height, width))
    centre = np.array(world.shape[:2]) / 2
    heading = rng.uniform(0, 2 * math.pi)
    drift = rng.uniform(0.1, 0.3) * height * np.array([math.sin(heading), math.cos(heading)])
    zoom_rate = rng.uniform(-0.08, 0.08)
    dawn = rng.uniform(0.3, 0.5)
    objects = [_draw_object(rng, height, width) for _ in range(2)]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    duration = num_frames / fps
    for i in range(num_frames):
        t = i / fps
        scale = 1.3 * math.exp(zoom_rate * t)
        y, x = centre + drift * (t - duration / 2)
        matrix = np.array([[scale, 0, x - scale * width / 2], [0, scale, y - scale * height / 2]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        frame = cv2.warpAffine(world, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
        for radius, colour, start, displacement in objects:
            px, py = start + displacement * (t / duration)
            distance = ((columns - px) ** 2 + (rows - py) ** 2) / radius**2
            # Soft edges, so that nobody takes an object for one of the shapes to be counted.
            alpha = np.exp(-distance)[..., None]
            frame = frame * (1 - alpha) + alpha * colour
        frames[i] = np.clip(frame * (dawn + (1 - dawn) * t / duration), 0, 255)
    return frames


def _draw_object(rng: np.random.Generator, height: int, width: int) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Draws the radius, colour, start (x, y) and displacement over the whole video: across the picture, through the
    middle.
    """
    radius = rng.uniform(0.1, 0.2) * min(height, width)
    colour = rng.uniform(0, 255, 3).astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    direction = np.array([math.cos(angle), math.sin(angle)])
    middle = np.array([width, height]) * rng.uniform(0.35, 0.65, 2)
    length = 0.9 * np.array([width, height])
    return radius, colour, middle - direction * length / 2, direction * length


def write_video(path: Path, frames: np.ndarray, fps: int) -> None:
    """Encodes uint8 frames (T, H, W, 3) as H.264 mp4. H and W must be even."""
    with whole_file(path) as partial, av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=ENCODING)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def generate_videos(
    folder: Path,
    count: int,
    seed: int,
    fps: int = 12,
    seconds: float = 3.0,
    side: int = 112,
    scene: Scene = generate_frames,
    name: str = "generated",
) -> list[Path]:
    """Writes `count` videos {name}_000.mp4, ..., of side x side pixels, and keeps those that are already there.

    Args:
        scene: draws the frames of one, see `generate_frames`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}_{i:03d}.mp4" for i in range(count)]
    for i, path in enumerate(paths):
        if not path.exists():
            rng = np.random.default_rng([seed, i])
            write_video(path, scene(rng, round(fps * seconds), fps, side, side), fps)
    return paths
