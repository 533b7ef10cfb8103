"""Candidates tell nothing among themselves; context does, until they are seen through views."""

from dataclasses import replace

import numpy as np
import pytest

from videossr_verl.evaluate.attacks.masked_video_prediction import RULES
from videossr_verl.tasks import masked_video_prediction as task
from videossr_verl.tasks.clip import Clip
from videossr_verl.tiny.generated_videos import generate_frames

EASY = task.Difficulty(num_key_frames=12, num_masked=4, num_distractors=4, radius=10, hardness=0, kappa=0.99)
CONTEXT = ["chain with context", "chain with context, light removed", "chain with context, colours",
           "chain of best fits", "between the edges", "not like other frames", "nearest to the edges",
           "part of the chain of all"]  # fmt: skip


@pytest.fixture(scope="module")
def scenes():
    """(clip, frames) of 48 frames of six generated scenes, 3 a second."""
    times = tuple((np.arange(48) / 3).tolist())
    clip = Clip("a.mp4", "0" * 16, 112, 112, times, times, (0.0, times[-1]), 56 * 56, 256 * 256)
    return [(clip, generate_frames(np.random.default_rng(i), 48, 3.0, 112, 112)) for i in range(6)]


@pytest.fixture(scope="module")
def easy(scenes, earned):
    return earned(task, RULES, EASY, scenes, 10)


@pytest.mark.parametrize("rule", CONTEXT)
def test_context_solves_whole_pictures(rule, easy):
    assert easy[rule] > easy["chance"] + 0.25


@pytest.mark.parametrize("rule", ["candidates alone", "tightest group", "blind constant"])
def test_candidates_alone_do_not_tell_which_run_fills_the_gap(rule, easy):
    assert easy[rule] < easy["chance"] + 0.15


def test_no_rule_leads_by_much_in_the_hard_preset(earned):
    """Scenes of 40 seconds, at 4 frames a second."""
    times = tuple((np.arange(160) / 4).tolist())
    clip = Clip("a.mp4", "0" * 16, 112, 112, times, times, (0.0, times[-1]), 56 * 56, 256 * 256)
    long = [(clip, generate_frames(np.random.default_rng(i), 160, 4.0, 112, 112)) for i in range(5)]
    found = earned(task, RULES, replace(task.PRESETS["mvp_hard"], embedding="built_in"), long, 8)
    assert max(found.values()) < found["chance"] + 0.15, found
