import numpy as np
import pytest

from videossr_verl.tasks.clip import Clip
from videossr_verl.tiny.generated_videos import generate_frames


def make_clip(num_frames=48, step=0.5, source_fps=30.0, video="a.mp4", content_id="0" * 16, jitter=0.0, seed=0):
    """Shown frames about `step` seconds apart, of a source with even (with jitter, uneven) frames."""
    gaps = np.full(round(num_frames * step * source_fps) + 10, 1 / source_fps)
    gaps *= 1 + jitter * np.random.default_rng(seed).uniform(-0.9, 0.9, len(gaps))
    pts = np.concatenate([[0], np.cumsum(gaps)])
    chosen = np.linspace(5, len(pts) - 6, num_frames).round().astype(int)
    times = tuple(pts[chosen].tolist())
    window = (times[0], times[-1])
    return Clip(video, content_id, 640, 360, tuple(pts.tolist()), times, window, 56 * 56, 256 * 256)


@pytest.fixture(scope="session")
def clip_of():
    """`make_clip(num_frames=48, step=0.5, source_fps=30, video=..., content_id=..., jitter=0)`."""
    return make_clip


@pytest.fixture(scope="session")
def clip():
    return make_clip()


@pytest.fixture(scope="session")
def frames():
    """48 frames (48, 84, 112, 3) in colour and motion."""
    frames = generate_frames(np.random.default_rng(3), 48, 12.0, 84, 112)
    frames.setflags(write=False)
    return frames


@pytest.fixture(scope="session")
def still(frames):
    """One picture, 48 times."""
    return np.repeat(frames[:1], 48, axis=0)
