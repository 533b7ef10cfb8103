"""The changes that anomaly grounding makes in a segment of a video (VideoSSR, Table 8 and released code).

Every strength is drawn once per segment, so that nothing flickers inside it, and the frame size never
changes. All changes are made after the resize to the training size, on uint8 RGB frames (T, H, W, 3).

    name          what happens                                              drawn
    saturation    colours twice as saturated
    noise         Gaussian noise, new in every frame: of `sigma` in the      sigma in 35..70 grey levels, seed; kept
                  source, of which shrinking leaves the share `kept`         follows from the sizes
    blur          Gaussian blur of 2 pixels per 256 pixels of short side
    grayscale     colours removed
    invert        255 - value
    channel_swap  red and blue exchanged
    zoom_in       the central 1/factor of each side fills the picture       factor in 1.3..1.5
    zoom_out      the picture shrunk by factor on a black canvas            factor in 1.2..1.4
    rotate_180, mirror (left to right)
    rotate_90 (clockwise), rotate_270: the turned picture fills the frame, see `fill`
    slow, fast    other source times are shown, see `retime`                speed in 0.3..0.5, 2..3
    stutter_hold  the segment shows `holds` pictures, each held             holds in 2..5
    shuffle       the segment's frames in another order                     order
    swap          frames of another video, which fill the frame, see `fill`

The release makes its changes in full-size pictures, and shrinks these afterwards. Shrinking averages noise, so we
add what is left of it (`_noise`). It would remove a blur of 2 pixels, so ours grows with the training size, and blurs
the same share of the picture at any size. The release's quarter turns change the frame size inside a video, which no
model can be shown, and bars around the turned picture would give the segment away. So the turned picture fills the
frame. The paper does not give the speeds; these are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

Params = Mapping[str, Any]
Sizes = tuple[tuple[int, int], tuple[int, int]]  # (H, W) of the source, and of the frames made from it
Draw = Callable[[np.random.Generator, int, Sizes], dict[str, Any]]


@dataclass(frozen=True)
class Perturbation:
    """One kind of change.

    Attributes:
        name: key in `PERTURBATIONS`.
        description: lower-case clause that names the change, for use inside a question.
        family: "fine_grained", "spatial", "temporal" or "other".
        draw: (rng, T, sizes) -> JSON parameters for a segment of T frames.
        apply: (frames (T, H, W, 3) uint8, parameters) -> new array of the same shape; the input stays as it
            is. For slow, fast and swap this is a plain copy: they need other source frames.
    """

    name: str
    description: str
    family: str
    draw: Draw
    apply: Callable[[np.ndarray, Params], np.ndarray]


def retime(times: Sequence[float], clock: Sequence[float], start: int, stop: int, speed: float) -> np.ndarray:
    """Returns the source times that make frames [start, stop) run at `speed` while the shown clock stays evenly spaced.

    The content's position is the integral over the clock of a speed profile: 1 outside the segment, `speed`
    inside. It is scaled as a whole so that the first and last frame stay where they are: nothing is skipped
    or repeated at the borders, the clip's window is kept, and the segment runs `speed` times as fast as the
    rest.

    Args:
        times, clock: T source times and T shown times, seconds.
        start, stop: segment in frames; its last interval ends at frame `stop`, or with the clip.
        speed: > 0.

    Returns:
        (T,) wanted source times in seconds, strictly increasing; the caller takes the nearest real frames.
    """
    steps = np.diff(np.asarray(clock, dtype=np.float64))
    steps[start:stop] *= speed
    position = np.concatenate([[0.0], np.cumsum(steps)])
    return times[0] + position * ((times[-1] - times[0]) / position[-1])


# No `draw` gives values beyond these. Without limits a row could make `apply` take any memory or time.
_RANGES = {
    "factor": (1, 10),
    "speed": (0.01, 100),
    "radius": (0, 4),
    "sigma": (0, 255),
    "kept": (0, 1),
    "seed": (0, 2**63 - 1),
}


def check_params(params: Params, length: int) -> None:
    """Refuses parameters that no `draw` gives for a segment of `length` frames: ValueError."""
    ranges = _RANGES | {"holds": (1, length)}
    for key, value in params.items():
        if key == "order":
            valid = isinstance(value, list) and len(value) == length and set(value) == set(range(length))
        else:
            low, high = ranges.get(key, (0, 0))
            valid = isinstance(value, int | float) and low <= value <= high
        if not valid:
            raise ValueError(f"a change of {length} frames cannot have {key} {str(value)[:80]}")


def fill(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns frames (T, h, w, 3) as (T, height, width, 3): aspect kept, centred, and cut off where they stick out."""
    scale = max(height / frames.shape[1], width / frames.shape[2])
    return _resize(_middle(frames, height / scale, width / scale), height, width)


def frames_shown(name: str, params: Params, length: int) -> np.ndarray:
    """Returns (length,) ints: which clean frame each of a segment's `length` frames shows. Most show the same one."""
    if name == "shuffle":
        return np.asarray(params["order"])
    if name == "stutter_hold":
        starts = np.arange(params["holds"]) * length // params["holds"]
        return np.repeat(starts, np.diff([*starts, length]))
    return np.arange(length)


def _middle(frames: np.ndarray, height: float, width: float) -> np.ndarray:
    """Returns the central part, of at least one pixel."""
    h, w = max(1, round(height)), max(1, round(width))
    top, left = (frames.shape[1] - h) // 2, (frames.shape[2] - w) // 2
    return frames[:, top : top + h, left : left + w]


def _resize(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    down = height * width < frames.shape[1] * frames.shape[2]
    how = cv2.INTER_AREA if down else cv2.INTER_LINEAR
    return np.stack([cv2.resize(np.ascontiguousarray(f), (width, height), interpolation=how) for f in frames])


def _gray(frames: np.ndarray) -> np.ndarray:
    """Returns the grey frames in the same shape, with three equal channels. Converts all frames as one tall picture, in
    a single call.
    """
    tall = np.ascontiguousarray(frames).reshape(-1, frames.shape[2], 3)
    gray = cv2.cvtColor(cv2.cvtColor(tall, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return gray.reshape(frames.shape)


def _saturate(frames: np.ndarray, params: Params) -> np.ndarray:
    tall = np.ascontiguousarray(frames).reshape(-1, frames.shape[2], 3)
    gray = _gray(frames).reshape(tall.shape)
    return cv2.addWeighted(tall, params["factor"], gray, 1 - params["factor"], 0).reshape(frames.shape)


def _noise(frames: np.ndarray, params: Params) -> np.ndarray:
    """Adds what is left of noise of `sigma` that was added to the source, clipped, and shrunk with it.

    Clipping makes black brighter and white darker, and both less noisy. Shrinking keeps the mean, and the share `kept`
    of the spread.
    """
    mean, spread = _clipped_noise(params["sigma"])
    spread *= np.float32(params["kept"])
    rng = np.random.Generator(np.random.PCG64(params["seed"]))
    out = np.empty_like(frames)
    for frame, noisy in zip(
        frames, out, strict=True
    ):  # one by one, because as floats all of them need 16 times the memory
        noise = rng.standard_normal(frame.shape, np.float32)
        noisy[:] = np.clip(mean[frame] + spread[frame] * noise, 0, 255).round()
    return out


def _clipped_noise(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean and standard deviation, (256,) float32 each, of clip(value + sigma * N(0, 1), 0, 255) for every
    value.
    """
    z = np.linspace(-6, 6, 1201)
    weights = np.exp(-(z**2) / 2)
    weights /= weights.sum()
    levels = np.clip(np.arange(256)[:, None] + sigma * z, 0, 255)
    mean = (weights * levels).sum(axis=1)
    spread = np.sqrt((weights * (levels - mean[:, None]) ** 2).sum(axis=1))
    return mean.astype(np.float32), spread.astype(np.float32)


def _blur(frames: np.ndarray, params: Params) -> np.ndarray:
    sigma = max(1.0, params["radius"] * min(frames.shape[1:3]) / 256)
    return np.stack([cv2.GaussianBlur(np.ascontiguousarray(f), (0, 0), sigma) for f in frames])


def _zoom_in(frames: np.ndarray, params: Params) -> np.ndarray:
    height, width = frames.shape[1:3]
    return _resize(_middle(frames, height / params["factor"], width / params["factor"]), height, width)


def _zoom_out(frames: np.ndarray, params: Params) -> np.ndarray:
    height, width = frames.shape[1:3]
    h, w = round(height / params["factor"]), round(width / params["factor"])
    top, left = (height - h) // 2, (width - w) // 2
    out = np.zeros_like(frames)
    out[:, top : top + h, left : left + w] = _resize(frames, h, w)
    return out


def _quarter_turns(frames: np.ndarray, turns: int) -> np.ndarray:
    return fill(np.rot90(frames, turns, axes=(1, 2)), *frames.shape[1:3])


def _draw_order(rng: np.random.Generator, length: int, sizes: Sizes) -> dict[str, Any]:
    """Returns an order whose first and last frame both move: otherwise a border of the segment would not show."""
    if length < 2:
        raise ValueError(f"a segment of {length} frame(s) cannot be shuffled; use at least 2")
    while True:  # at least a quarter of all orders pass
        order = [int(i) for i in rng.permutation(length)]
        if order[0] != 0 and order[-1] != length - 1:
            return {"order": order}


def _draw_holds(rng: np.random.Generator, length: int, sizes: Sizes) -> dict[str, Any]:
    """Draws for how many frames each picture is held: two or more, so that the second and the last frame differ from
    the clean ones.

    The segment starts with the first frame that stays on screen and ends when the last held picture is
    released: its first patch of two frames shows one picture twice, and so does its last.
    """
    return {"holds": int(min(rng.integers(2, 6), max(1, length // 2)))}


def _factor(low: float, high: float, key: str = "factor") -> Draw:
    return lambda rng, length, sizes: {key: round(float(rng.uniform(low, high)), 3)}


def _nothing(rng: np.random.Generator, length: int, sizes: Sizes) -> dict[str, Any]:
    return {}


def _draw_noise(rng: np.random.Generator, length: int, sizes: Sizes) -> dict[str, Any]:
    sigma, seed = round(float(rng.uniform(35, 70)), 1), int(rng.integers(2**31))
    kept = np.sqrt(np.prod([_variance_kept(*sides) for sides in zip(*sizes, strict=True)]))
    return {"sigma": sigma, "kept": round(float(kept), 4), "seed": seed}


def _variance_kept(source: int, shown: int) -> float:
    """Returns which share of the noise's variance is left when a row of `source` pixels is shrunk to `shown` means.

    A mean of s independent pixels keeps 1 / s of the variance. A pixel at the edge of a mean counts with the part that
    lies in it. A row that is not shrunk keeps all.
    """
    if source <= shown:
        return 1.0
    edges = np.linspace(0, source, shown + 1)
    first, last = np.ceil(edges[:-1]), np.floor(edges[1:])
    squares = (first - edges[:-1]) ** 2 + (last - first) + (edges[1:] - last) ** 2
    return float(squares.mean()) * (shown / source) ** 2


def _copy(frames: np.ndarray, params: Params) -> np.ndarray:
    return frames.copy()


_ALL = [
    Perturbation(
        "saturation",
        "the colours are much more saturated",
        "fine_grained",
        lambda rng, length, sizes: {"factor": 2.0},
        _saturate,
    ),
    Perturbation("noise", "the picture is covered with random noise", "fine_grained", _draw_noise, _noise),
    Perturbation("blur", "the picture is blurred", "fine_grained", lambda rng, length, sizes: {"radius": 2.0}, _blur),
    Perturbation(
        "grayscale",
        "the picture has no colour, only shades of grey",
        "fine_grained",
        _nothing,
        lambda f, p: _gray(f),
    ),
    Perturbation(
        "invert",
        "all colours are inverted, as in a photographic negative",
        "fine_grained",
        _nothing,
        lambda f, p: 255 - f,
    ),
    Perturbation(
        "channel_swap",
        "the red and blue colour channels are swapped",
        "fine_grained",
        _nothing,
        lambda f, p: f[..., ::-1].copy(),
    ),
    Perturbation(
        "zoom_in",
        "the picture is zoomed in, so that its outer parts are cut off",
        "spatial",
        _factor(1.3, 1.5),
        _zoom_in,
    ),
    Perturbation(
        "zoom_out",
        "the picture is shrunk, with a black border around it",
        "spatial",
        _factor(1.2, 1.4),
        _zoom_out,
    ),
    Perturbation(
        "rotate_180",
        "the picture is rotated by 180 degrees",
        "spatial",
        _nothing,
        lambda f, p: f[:, ::-1, ::-1].copy(),
    ),
    Perturbation(
        "mirror",
        "the picture is mirrored left to right",
        "spatial",
        _nothing,
        lambda f, p: f[:, :, ::-1].copy(),
    ),
    Perturbation(
        "slow",
        "everything moves more slowly than in the rest of the video",
        "temporal",
        _factor(0.3, 0.5, "speed"),
        _copy,
    ),
    Perturbation(
        "fast",
        "everything moves faster than in the rest of the video",
        "temporal",
        _factor(2, 3, "speed"),
        _copy,
    ),
    Perturbation(
        "stutter_hold",
        "the motion stutters: a picture freezes for a while, then the next one jumps in",
        "temporal",
        _draw_holds,
        lambda f, p: f[frames_shown("stutter_hold", p, len(f))],
    ),
    Perturbation(
        "shuffle",
        "the frames are played in a shuffled order",
        "temporal",
        _draw_order,
        lambda f, p: f[frames_shown("shuffle", p, len(f))],
    ),
    Perturbation(
        "rotate_90",
        "the picture is rotated clockwise by 90 degrees",
        "spatial",
        _nothing,
        lambda f, p: _quarter_turns(f, -1),
    ),
    Perturbation(
        "rotate_270",
        "the picture is rotated counter-clockwise by 90 degrees",
        "spatial",
        _nothing,
        lambda f, p: _quarter_turns(f, 1),
    ),
    Perturbation("swap", "the pictures come from a different video", "other", _nothing, _copy),
]
PERTURBATIONS: dict[str, Perturbation] = {p.name: p for p in _ALL}
