"""Each rule finds what is made for it, and what is closed earns nothing."""

import numpy as np
import pytest

from reward_fns import compute_score
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.evaluate.attacks.snippet_localisation import RULES
from videossr_verl.tasks.frames.glass import stained, tilted
from videossr_verl.tasks.frames.views import through
from videossr_verl.tiny.generated_videos import generate_frames

CLOCK = np.arange(40) / 2
TRUTH = "6.0-11.0"
CLEAR = {"tilt": 0.0, "gamma": 1.0, "hue": 0.0, "blur": 0.0}


@pytest.fixture(scope="module")
def scene():
    """80 frames of a scene, every other one of which is in the video, and those between in a snippet."""
    return generate_frames(np.random.default_rng(5), 80, 12.0, 84, 112)


def earned(rule, video, snippet):
    said = RULES[rule](Shown("", (video, snippet), (CLOCK, np.arange(len(snippet)) / 2)))
    result = compute_score("videossr/snippet_localisation", said, TRUTH, {})
    assert result["parsed"] == 1
    return result["score"]


def between(frames):
    """8 of the frames between those of the video in its seconds 6 to 11."""
    return frames[np.linspace(25, 43, 8).round().astype(int) // 2 * 2 + 1]


@pytest.mark.parametrize("rule", ["template", "template of edges", "edge directions", "colour histogram"])
def test_the_same_picture_is_found(rule, scene):
    assert earned(rule, scene[::2], between(scene)) > 0.7


@pytest.mark.parametrize("rule", ["template", "template of edges"])
def test_a_mirrored_tilted_part_in_other_light_is_found(rule, scene):
    view = {"place": [0.2, 0.1], "side": 0.7, "mirror": True, "mean": [90, 110, 150], "spread": [30, 50, 40]}
    seen = through(view, tilted({**CLEAR, "tilt": 10.0}, between(scene), (0.55, 0.45)))
    assert earned(rule, scene[::2], seen) > 0.7


def test_key_points_are_found():
    """On a picture with corners, which the generated scenes lack."""
    world = np.kron(np.random.default_rng(2).integers(0, 255, (12, 60, 3)), np.ones((14, 14, 1))).astype(np.uint8)
    frames = np.stack([world[:, 8 * i : 8 * i + 200] for i in range(80)])
    assert earned("key points", frames[::2], between(frames)[:, :, ::-1]) > 0.7


def test_light_alone():
    levels = 120 + 60 * np.sin(np.arange(80) ** 1.5 / 40)
    frames = np.broadcast_to(levels[:, None, None, None], (80, 32, 32, 3)).astype(np.uint8)
    assert earned("light over time", frames[::2], between(frames)) > 0.7


def test_motion_alone():
    """New noise in every frame: only how much of the picture it covers is the same in both."""
    rng = np.random.default_rng(0)
    rows = (30 + 25 * np.sin(np.arange(80) / 7) + rng.uniform(-4, 4, 80)).astype(int)
    frames = np.full((80, 64, 64, 3), 128, np.uint8)
    for frame, row in zip(frames, rows, strict=True):
        frame[:row] = rng.integers(0, 255, (row, 64, 3))
    snippet = frames[24:44]  # each frame, as motion is between neighbours
    assert earned("motion over time", frames[::2], snippet[::2]) > 0.5


def test_other_colours_close_the_histogram(scene):
    closed = stained({**CLEAR, "hue": 150.0}, between(scene))
    assert earned("colour histogram", scene[::2], closed) < earned("colour histogram", scene[::2], between(scene))


def test_the_blind_constant_is_no_better_than_chance():
    rng, rewards, row = np.random.default_rng(0), [], {"difficulty": {"num_frames": 40}}
    shown = Shown("", (np.zeros((40, 8, 8, 3), np.uint8),) * 2, (CLOCK, CLOCK))
    for _ in range(2000):
        length = 2 * int(rng.integers(3, 7))
        start = 2 * int(rng.integers(0, (39 - length) // 2 + 1))
        truth = f"{CLOCK[start]:.1f}-{CLOCK[start + length]:.1f}"
        rewards.append(compute_score("videossr/snippet_localisation", RULES["blind constant"](shown), truth, row))
    assert np.mean([r["score"] for r in rewards]) == pytest.approx(rewards[0]["chance"], abs=0.02)
