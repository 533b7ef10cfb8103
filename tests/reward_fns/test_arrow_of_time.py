from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_fns.arrow_of_time import GUESSES, chance, exact_chance, metric, score

TRUTH = "1,4,6"


def truths(pairs):
    return [",".join(one) for one in product(*[(str(2 * i + 1), str(2 * i + 2)) for i in range(pairs)])]


def answers(pairs):
    """Every answer that can be read."""
    return [",".join(map(str, some)) for some in combinations(range(1, 2 * pairs + 1), pairs)]


def by_pairs(answer, truth):
    """The sum over the pairs of 1 for the backward clip alone, -1 for the forward one alone, 0 for both or none."""
    named, total = set(answer.split(",")), 0
    for clip in truth.split(","):
        twin = str(int(clip) + 1 if int(clip) % 2 else int(clip) - 1)
        total += (clip in named) - (twin in named)
    return total


@pytest.mark.parametrize(
    "text",
    [
        "1,4,6",
        "6, 1 and 4",
        "146",
        "1 4 6",
        "1-4-6",
        "1/4/6",
        "[4, 6, 1]",
        "Clip 1, Clip 4, Clip 6",
        "Clips 1, 4 and 6 run backwards.",
        "<think>Clips 1, 3, 5?</think>The backward clips are 1, 4 and 6.",
        "Is it 1,3,5? No.\n1,4,6",
        "\\boxed{1, 4, 6}",
        "1,4,6 (6 clips)",
        "one, four and six",
        "第1段、第4段、第6段",
        "①④⑥",
    ],
)
def test_what_a_person_would_accept(text):
    assert score(text, TRUTH) == (1, 1, 1)
    assert metric(text, TRUTH) == (1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,4",
        "1,4,6,2",
        "1,2,3,4,5,6",
        "1,4,4",
        "1,4,7",
        "0,4,6",
        "-1,4,6",
        "1-4, 6",
        "not 1,4,6",
        "1,4,6 is wrong",
        "1,4,6 or 1,3,6",
        "1,4 or 6",
        "frames 1, 4, 6",
        "1%, 4%, 6%",
        "1.4.6",
        "none",
        "<think>1,4,6",
    ],
)
def test_what_is_not_an_answer(text):
    assert score(text, TRUTH) == (0, 0, 0)
    assert metric(text, TRUTH) == (0, 0)


def test_one_pair_and_two():
    assert score("Clip 2 runs backwards.", "2") == (1, 1, 1)
    assert score("2", "1") == (0, 0, 1)
    assert score("Clip 1 or 2", "2") == (0, 0, 0)
    assert score("1, 4", "1,4") == (1, 1, 1)
    assert score("1-4", "1,4") == (0, 0, 0)  # a range, or two clips


@pytest.mark.parametrize("pairs", [1, 2, 3, 4])
def test_the_score_is_swap_consistent(pairs):
    for truth, answer in product(truths(pairs), answers(pairs)):
        reward, acc, parsed = score(answer, truth)
        assert reward == pytest.approx((1 + by_pairs(answer, truth) / pairs) / 2)
        assert (acc, parsed) == (answer == truth, 1)


def test_both_of_a_pair_is_half_of_it():
    assert score("1,2,6", TRUTH) == (2 / 3, 0, 1)
    assert metric("1,2,6", TRUTH) == (1 / 3, 1)
    assert metric("1,3,6", TRUTH) == (2 / 3, 1)


@pytest.mark.parametrize("pairs", [1, 2, 3, 4])
def test_chance_is_what_every_answer_earns(pairs):
    """Also if the coins of the pairs are tied together, as for one who sees which pieces run the same way."""
    every = truths(pairs)
    for answer in answers(pairs):
        assert sum(score(answer, truth)[0] for truth in every) / len(every) == pytest.approx(
            chance({"num_pairs": pairs})
        )
    one, other = every[0], every[-1]
    assert (score(one, one)[0] + score(one, other)[0]) / 2 == chance({"num_pairs": pairs})


@pytest.mark.parametrize("pairs", [1, 2, 3, 4])
def test_exact_chance_is_the_best_of_all_answers(pairs):
    every = truths(pairs)
    best = max(sum(score(answer, truth)[1] for truth in every) / len(every) for answer in answers(pairs))
    assert exact_chance({"num_pairs": pairs}) == pytest.approx(best)


def test_defaults_are_the_tasks():
    assert (chance({}), exact_chance({})) == (0.5, 1 / 8)
    with pytest.raises(ValueError, match="num_pairs must be a whole number from 1 to 4"):
        chance({"num_pairs": 5})


@given(st.integers(1, 4), st.randoms(use_true_random=False))
def test_guesses_name_one_clip_of_each_pair(pairs, seed):
    class Coins:
        def integers(self, high, size):
            return [seed.randrange(high) for _ in range(size)]

    assert GUESSES["uniform guess"]({"num_pairs": pairs}, 1.0, Coins()) in truths(pairs)


@given(st.text())
def test_any_text_is_scored(text):
    reward, acc, parsed = score(text, TRUTH)
    assert 0 <= reward <= 1
    assert acc in (0, 1)
    assert reward == 0 or parsed == 1


@pytest.mark.parametrize("truth", ["", "3", "1,2", "4,1,6", "1,4,6,", "1, 4", "1,4,6\n", "146", "1,4,6,8,9", "１"])
def test_malformed_ground_truth_raises(truth):
    with pytest.raises(ValueError, match="ground truth of arrow_of_time"):
        score("1,4,6", truth)
