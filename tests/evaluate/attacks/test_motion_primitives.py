"""One frame tells nothing of a motion. A colour of its own is followed, and one among others of its kind less."""

from dataclasses import replace

import numpy as np
import pytest

from reward_fns.motion_primitives import KINDS
from videossr_verl.evaluate.attacks.motion_primitives import RULES
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.tasks import motion_primitives as task

EASY = {"distractors": 0, "ratio": 3.0, "num_swaps": 1, "directions": 4}


@pytest.fixture(scope="module")
def short(scenes):
    """The first two seconds of each scene."""
    return [(replace(clip, times=clip.times[:24]), frames[:24]) for clip, frames in scenes]


@pytest.mark.parametrize("kind", ["direction", "faster"])
def test_a_colour_of_its_own_is_followed(kind, short, earned):
    found = earned(task, RULES, task.Difficulty((kind,), **EASY), short, 4)
    assert found["best motion"] > 0.8
    assert found["best motion"] > found["chance"] + 0.3
    for rule in ("place in the first frame", "place in the last frame"):
        assert found[rule] < found["chance"] + 0.35  # 16 questions


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_answers_every_kind(kind, short, earned):
    found = earned(task, RULES, task.Difficulty((kind,), num_swaps=2), short[:1], 1)
    assert set(found) == {*RULES, "chance"}


def test_the_blind_answer_has_the_form_that_the_question_asks_for():
    nothing = (np.zeros((2, 8, 8, 3), np.uint8),)
    asked = {
        "In which direction does the red circle move?": "up",
        "Which of these moves faster?": "1",
        "In which order does that happen? Answer only with the 4 numbers": "1234",
        "squares change places in pairs.": "2",
    }
    assert {question: RULES["blind constant"](Shown(question, nothing, ())) for question in asked} == asked
