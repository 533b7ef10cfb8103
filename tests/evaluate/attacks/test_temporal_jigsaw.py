"""Each rule solves what is made for it; our hard preset leaves none of them anything."""

import numpy as np
import pytest

from reward_fns import compute_score
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.evaluate.attacks.temporal_jigsaw import RULES
from videossr_verl.tasks import temporal_jigsaw as task
from videossr_verl.tasks.clip import ClipSettings, sample_clip
from videossr_verl.tasks.frames.views import draw_view, light_of, through
from videossr_verl.tiny.generated_videos import generate_frames
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import probe
from videossr_verl.video.size import target_size


def shuffled(pieces, clocks=None, seed=0):
    """(shown, right answer) of pieces in the order of time."""
    order = np.random.default_rng(seed).permutation(len(pieces))
    clocks = [np.arange(len(p)) / 12 for p in pieces] if clocks is None else clocks
    answer = "".join(str(i + 1) for i in np.argsort(order))
    return Shown("", tuple(pieces[i] for i in order), tuple(clocks[i] for i in order)), answer


def scene(seed=0, frames=48, size=112):
    return generate_frames(np.random.default_rng(seed), frames, 12.0, size, size)


def cut(frames, count=6, shown=None):
    length = len(frames) // count
    return [frames[i * length : i * length + (shown or length)] for i in range(count)]


@pytest.mark.parametrize("rule", ["last frame to first", "last frame to first, light removed", "nearest frames",
                                  "mean picture", "colour histogram", "brightness drift"])  # fmt: skip
def test_a_seamless_cut_is_solved(rule, scenes, earned):
    """In the paper's setting, on scenes of four seconds."""
    assert earned(task, {rule: RULES[rule]}, task.PRESETS["videossr"], scenes, 3)[rule] > 0.95


def test_without_light_no_light_helps_or_harms():
    rng = np.random.default_rng(0)
    dimmed = [(piece * rng.uniform(0.3, 1)).astype(np.uint8) for piece in cut(scene())]
    shown, answer = shuffled(dimmed)
    assert RULES["last frame to first, light removed"](shown) == answer
    assert RULES["last frame to first"](shown) != answer


def test_light_alone():
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 100 + 20 * i + np.arange(4)[:, None, None, None] + 1, (4, 32, 32, 3)) for i in range(6)]
    pieces = [piece.astype(np.uint8) for piece in noise]
    for one in (pieces, [piece[::-1] for piece in pieces[::-1]]):
        shown, answer = shuffled(one)
        assert RULES["brightness drift"](shown) == answer


def test_motion_alone():
    """The window runs over a large picture, and leaves out as much between two clips as it shows."""
    world = np.kron(np.random.default_rng(1).integers(0, 255, (24, 100, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    frames = np.stack([world[:, 4 * i : 4 * i + 96] for i in range(48)])
    shown, answer = shuffled(cut(frames, 6, shown=4))
    assert RULES["motion goes on"](shown) == answer


@pytest.mark.parametrize("rule", ["best fit of a part", "shared corners"])
def test_parts_of_a_picture(rule):
    """The window runs over a large picture; views hide the order from pixels, not from these rules."""
    rng, rewards = np.random.default_rng(0), []
    world = np.kron(np.random.default_rng(2).integers(0, 255, (7, 30, 3)), np.ones((24, 24, 1))).astype(np.uint8)
    frames = np.stack([world[:, 10 * i : 10 * i + 240] for i in range(48)])
    for seed in range(6):
        pieces = [through(draw_view(p, [], light_of(frames), 0.8, rng), p) for p in cut(frames)]
        shown, answer = shuffled(pieces, seed=seed)
        rewards.append(compute_score("videossr/temporal_jigsaw", RULES[rule](shown), answer)["score"])
    assert np.mean(rewards) > 0.7


def test_clocks_alone():
    """48 even times of ten seconds of 24 frames a second, each rounded to a frame."""
    times = np.round(np.linspace(0, 10, 48) * 24) / 24
    clocks = [np.round(times[i : i + 8] - times[i], 3) for i in range(0, 48, 8)]
    shown, answer = shuffled([np.zeros((8, 32, 32, 3), np.uint8)] * 6, clocks)
    said = RULES["clocks alone"](shown)
    assert compute_score("videossr/temporal_jigsaw", said, answer)["score"] > 0.85
    even, _ = shuffled([np.zeros((8, 32, 32, 3), np.uint8)] * 6)
    assert RULES["clocks alone"](even) == "654321"


def test_no_rule_leads_by_much_in_the_hard_preset(real_clips, scenes, earned):
    """On real clips of 4 to 10 seconds and on generated scenes of four."""
    clips = []
    for path in real_clips.values():
        info = probe(path)
        clip = sample_clip(info, path.name, ClipSettings())
        size = target_size(clip.height, clip.width, clip.min_pixels, clip.max_pixels, 32)
        clips.append((clip, decode(path, clip.times, size)))
    for some in (clips, scenes):
        found = earned(task, RULES, task.PRESETS["hard"], some, 10)
        assert max(found.values()) < found["chance"] + 0.15, found
