"""Which level is drawn next: rates by hand, and a learner that gets better."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.train.adaptive.level_chooser import LevelChooser, is_useful

LEVELS = {"jigsaw": ["easy", "middle", "hard"], "counting": ["few", "many"]}
GROUPS = st.lists(
    st.tuples(st.sampled_from(LEVELS["jigsaw"]), st.lists(st.floats(0, 1), min_size=2, max_size=8)), max_size=40
)


@given(GROUPS, st.floats(0, 1))
def test_shares_are_probabilities_and_no_level_is_lost(groups, chance):
    chooser = LevelChooser(LEVELS, memory=20)
    for level, rewards in groups:
        chooser.observe("jigsaw", level, rewards, chance)
    rates = chooser.rates("jigsaw")
    assert sum(r["share"] for r in rates.values()) == pytest.approx(1)
    assert all(0 < r["share"] <= 1 and 0 <= r["useful"] <= 1 and 0 <= r["success"] <= 1 for r in rates.values())
    assert [r["share"] for r in chooser.rates("counting").values()] == [0.5, 0.5]


def test_rates_by_hand():
    chooser = LevelChooser(LEVELS, memory=2)  # an old group counts half
    chooser.observe("jigsaw", "easy", [1.0, 1.0], 0.4)  # no variance, success 1
    chooser.observe("jigsaw", "hard", [0.4, 1.0], 0.4)  # variance 0.09, success 0.5
    rates = chooser.rates("jigsaw")
    variance = {"easy": 0.2 / 2.5, "middle": 0.1, "hard": (0.2 + 0.09) / 3}
    total = sum(v**2 for v in variance.values())
    for level, (groups, useful, success) in {"easy": (0.5, 0, 1), "middle": (0, 0, 0), "hard": (1, 1, 0.5)}.items():
        expected = {"groups": groups, "variance": variance[level], "useful": useful, "success": success}
        assert rates[level] == pytest.approx(expected | {"share": variance[level] ** 2 / total})


@pytest.mark.parametrize(("rewards", "useful"), [([0.3, 0.3], False), ([0.3, 0.3 + 1e-12], False), ([0.3, 0.31], True)])
def test_useful(rewards, useful):
    assert is_useful(rewards) == useful


def test_what_is_solved_by_chance_is_solved():
    chooser = LevelChooser(LEVELS, memory=10)
    chooser.observe("counting", "few", [1.0, 1.0], 1.0)
    assert chooser.rates("counting")["few"]["success"] == 1


@given(GROUPS)
def test_a_state_goes_through_json_and_goes_on(groups):
    one, other = LevelChooser(LEVELS, 30), LevelChooser(LEVELS, 30)
    for level, rewards in groups[:20]:
        one.observe("jigsaw", level, rewards, 0.3)
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for level, rewards in groups[20:]:
        one.observe("jigsaw", level, rewards, 0.3)
        other.observe("jigsaw", level, rewards, 0.3)
    assert one.state_dict() == other.state_dict()


def test_other_levels_than_the_state_has_start_anew():
    one = LevelChooser(LEVELS, 30)
    one.observe("jigsaw", "easy", [0.0, 1.0], 0.3)
    other = LevelChooser({"jigsaw": ["easy", "new"]}, 30)
    other.load_state_dict(one.state_dict())
    assert other.state_dict() == {"jigsaw": {"easy": one.state_dict()["jigsaw"]["easy"], "new": [0.0] * 4}}


def _learn(choose, observe, rng, steps):
    """Shares of useful groups over time, of a learner whose skill grows and whose success falls with difficulty."""
    levels, useful = ["1", "2", "3", "4", "5"], []
    for step in range(steps):
        skill, batch = 6 * step / steps, []
        for _ in range(16):
            level = choose(rng)
            solved = 1 / (1 + math.exp(2 * (levels.index(level) + 0.5 - skill)))
            rewards = rng.binomial(1, solved, 8).astype(float)
            batch.append((level, rewards))
        useful.append(np.mean([is_useful(rewards) for _, rewards in batch]))
        for level, rewards in batch:
            observe(level, rewards)
    return useful


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_useful_while_a_learner_gets_better(seed):
    """No fixed level stays useful over the whole way; the chooser does."""
    rng = np.random.default_rng(seed)
    chooser = LevelChooser({"task": ["1", "2", "3", "4", "5"]}, memory=100)
    adaptive = _learn(
        lambda r: chooser.choose("task", r), lambda lv, rewards: chooser.observe("task", lv, rewards, 0.0), rng, 100
    )
    fixed = [np.mean(_learn(lambda r, lv=lv: lv, lambda *_: None, rng, 100)) for lv in "12345"]
    assert np.mean(adaptive) > max(fixed) + 0.1
    assert np.mean(adaptive[-40:-15]) > 0.6  # the skill is above most levels by then
