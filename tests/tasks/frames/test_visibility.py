import av
import cv2
import numpy as np
import pytest

from videossr_verl.tasks.frames.perturbations import PERTURBATIONS
from videossr_verl.tasks.frames.visibility import (
    MIN_CHANGE,
    MIN_MOTION,
    changes,
    is_visible,
    motion,
    thumbnails,
    visibility,
)

IN_PLACE = sorted(set(PERTURBATIONS) - {"slow", "fast", "swap"})


def check(name, frames, seed=0):
    size = frames.shape[1:3]
    params = PERTURBATIONS[name].draw(np.random.default_rng(seed), len(frames), (size, size))
    return is_visible(name, params, frames, PERTURBATIONS[name].apply(frames, params))


def still(picture, length=8, grain=0.0, seed=0):
    """The picture again and again, with camera noise of `grain` grey levels."""
    noise = np.random.default_rng(seed).normal(0, grain, (length, *picture.shape))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def texture(seed=0, height=112, width=140):
    coarse = np.random.default_rng(seed).uniform(0, 255, (7, 9, 3)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255)


def load(path):
    """16 consecutive frames of 48 that are spread over 4 s (carphone) or 10 s (bikes)."""
    with av.open(str(path)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    chosen = np.linspace(5, len(frames) - 6, 48).astype(int)[12:28]
    return np.stack([cv2.resize(frames[i], (280, 196), interpolation=cv2.INTER_AREA) for i in chosen])


@pytest.fixture(scope="module")
def talking_head(real_clips):
    return load(real_clips["carphone_pristine"])


@pytest.fixture(scope="module")
def sports(real_clips):
    """Nearly grey, and blurred by its own motion."""
    return load(real_clips["bikes"])


@pytest.mark.parametrize("name", IN_PLACE)
def test_talking_head_shows_every_change(name, talking_head):
    assert check(name, talking_head)


@pytest.mark.parametrize("name", IN_PLACE)
def test_sports_show_what_they_can(name, sports):
    assert check(name, sports) == (name not in ("blur", "grayscale", "saturation"))


def test_symmetric_picture_refuses_mirror():
    half = texture()
    assert not check("mirror", still(np.concatenate([half, half[:, ::-1]], axis=1), grain=3))
    assert check("mirror", still(half, grain=3))


def test_point_symmetric_picture_refuses_rotation():
    half = texture()
    assert not check("rotate_180", still(np.concatenate([half, half[::-1, ::-1]], axis=1), grain=3))
    assert check("rotate_180", still(half, grain=3))


@pytest.mark.parametrize("name", ["channel_swap", "grayscale", "saturation"])
def test_gray_picture_refuses_changes_of_colour(name):
    gray = np.repeat(texture()[..., :1], 3, axis=2)
    assert not check(name, still(gray))
    assert check(name, still(texture()))


def test_mid_gray_refuses_invert():
    assert not check("invert", np.full((8, 56, 56, 3), 127, np.uint8))


def test_flat_picture_refuses_blur():
    assert not check("blur", np.full((8, 56, 56, 3), 90, np.uint8))


@pytest.mark.parametrize("name", sorted(set(IN_PLACE) - {"noise", "invert"}))
def test_black_video_is_refused(name):
    assert not check(name, np.zeros((8, 56, 56, 3), np.uint8))


@pytest.mark.parametrize("name", ["shuffle", "stutter_hold"])
@pytest.mark.parametrize("grain", [0, 3, 6])
def test_still_refuses_changes_of_time(name, grain):
    assert not check(name, still(texture(), grain=grain))


@pytest.mark.parametrize("place", ["first", "last"])
def test_every_frame_must_show_the_change(place):
    frames = still(texture())
    frames[0 if place == "first" else -1] = 0  # a cut to black at the border
    assert not check("mirror", frames)


def test_held_picture_at_the_border_hides_the_stutter(sports):
    frames = sports[:8].copy()
    frames[1] = frames[0]
    assert not check("stutter_hold", frames)
    assert check("stutter_hold", sports[:8])


def test_measures_by_hand():
    black = np.zeros((1, 160, 160, 3), np.uint8)
    spot = black.copy()
    spot[0, :10, :10] = 255  # one cell of 256, among the 25 that are averaged
    assert visibility(black, spot) == pytest.approx(1 / 25)
    assert changes(black, 255 - black).tolist() == [1.0]
    assert motion(thumbnails(black), thumbnails(spot)).tolist() == pytest.approx([1 / 25])
    # Motion does not see what averages out inside a cell.
    checks = np.indices((160, 160)).sum(axis=0) % 2 * 2 + 127
    checks = np.repeat(checks[None, ..., None], 3, axis=3).astype(np.uint8)
    assert visibility(checks, checks[:, ::-1]) == pytest.approx(2 / 255)
    assert motion(thumbnails(checks), thumbnails(checks[:, ::-1]))[0] == pytest.approx(0)


def test_thresholds_lie_between_stills_and_real_motion(sports):
    small = thumbnails(sports)
    assert motion(small[:-1], small[1:]).min() > MIN_MOTION
    quiet = still(texture(), grain=4)
    small = thumbnails(quiet)
    assert motion(small[:-1], small[1:]).max() < MIN_MOTION
    assert changes(quiet[:-1], quiet[1:]).max() < MIN_CHANGE
