"""Each rule solves what is made for it; scenes of even motion leave none of them anything."""

import numpy as np
import pytest

from videossr_verl.evaluate.attacks.arrow_of_time import RULES
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.tasks import arrow_of_time as task
from videossr_verl.tiny.arrow_scenes import generate_arrow_frames
from videossr_verl.tiny.generated_videos import generate_frames

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (48, 48, 3)).astype(np.float32)
GREY = np.full((48, 48, 3), 128, np.float32)


def asked(*pieces):
    """The pieces, each forwards and then backwards: the answer is "2,4,..."."""
    videos = [np.stack(piece).clip(0, 255).astype(np.uint8) for piece in pieces]
    both = [shown for video in videos for shown in (video, video[::-1])]
    return Shown("", tuple(both), (np.arange(len(videos[0])) / 4,) * len(both))


def dots(count, low=0, reach=48):
    """A picture with so many white spots."""
    picture = np.zeros((48, 48, 3), np.float32)
    rng = np.random.default_rng(count)
    for _ in range(count):
        y, x = rng.integers(low, min(low + reach, 45)), rng.integers(0, 45)
        picture[y : y + 3, x : x + 3] = 255
    return picture


MADE_FOR = {
    "gets lighter": [GREY + 5 * i for i in range(6)],
    "contrast rises": [GREY + (NOISE - 128) * 0.1 * (i + 1) for i in range(6)],
    "more grey levels": [NOISE // (64 >> i) * (64 >> i) for i in range(6)],
    "gets softer": [GREY + (NOISE - 128) * (0.9 - 0.1 * i) for i in range(6)],
    "sharper at once": [GREY + (NOISE - 128) * share for share in (0.5, 0.45, 0.4, 0.9, 0.85, 0.8)],
    "less grain": [GREY + (NOISE - 128) * (0.9 - 0.1 * i) for i in range(6)],
    "comes to rest": [np.roll(NOISE, shift, axis=1) * (shift <= 9) for shift in (0, 4, 7, 9, 9, 9)],
    "motion spreads": [dots(count) for count in (1, 2, 4, 8, 16, 32)],
    "motion falls": [dots(1, low=low, reach=1) for low in (0, 8, 16, 24, 32, 40)],
    "more structure": [dots(count) for count in (1, 2, 4, 8, 16, 32)],
}


@pytest.mark.parametrize("rule", MADE_FOR)
def test_each_rule_sees_what_it_is_for(rule):
    assert RULES[rule](asked(MADE_FOR[rule], MADE_FOR[rule][::-1])) == "2,3"


def test_pieces_that_move_one_way_are_found():
    """It knows that the three run alike, but not which way: all or nothing."""
    there = [np.roll(NOISE, 2 * i, axis=1) for i in range(6)]
    assert RULES["all move one way"](asked(there, there[::-1], there)) == "1,4,5"


def test_each_measure_is_guessed_in_both_ways():
    shown = asked(*[[np.roll(NOISE, i * i + seed, axis=1) * (0.5 + 0.1 * i) for i in range(6)] for seed in range(4)])
    answers = [RULES[name](shown) for name in RULES if name not in ("blind constant", "all move one way")]
    for one, opposite in zip(answers[::2], answers[1::2], strict=True):
        assert not set(one.split(",")) & set(opposite.split(","))


def test_no_rule_leads_where_nothing_has_a_direction(scenes, earned):
    """Scenes of even motion under a light that rises: it would solve them all if it were shown, and so would the
    rounding of grey levels if only the light were mended.
    """
    clip = scenes[0][0]
    some = [(clip, generate_frames(np.random.default_rng(i), 48, 12.0)) for i in (0, 2, 3, 4, 6, 9, 10)]
    found = earned(task, RULES, task.Difficulty(2, 6), some, 6)
    assert max(found.values()) < 0.5 + 0.2, found  # few scenes, and the pieces of one are alike


def test_scenes_with_a_direction_have_one(earned, scenes):
    """The comet's trail, the sparks and the bounces show to simple measures too."""
    some = [(scenes[0][0], generate_arrow_frames(np.random.default_rng(i), 48, 12.0)) for i in range(4)]
    found = earned(task, RULES, task.Difficulty(2, 8), some, 10)
    assert max(found.values()) > 0.6, found
