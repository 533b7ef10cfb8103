from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_fns.temporal_jigsaw import chance, exact_chance, score

TRUTH = "341562"
pairs = st.integers(2, 9).flatmap(lambda n: st.tuples(*[st.permutations("123456789"[:n]).map("".join)] * 2))


def distance(a, b):
    return sum(abs(i - j) for i, x in enumerate(a) for j, y in enumerate(b) if x == y)


def exact_reward(answer, truth):
    identity = "".join(sorted(truth))
    return 1 - Fraction(distance(answer, truth), distance(identity, identity[::-1]))


@pytest.mark.parametrize(
    "text",
    [
        "341562",
        "341562.",
        "３４１５６２",
        "3,4,1,5,6,2",
        "3 4 1 5 6 2",
        "[3, 4, 1, 5, 6, 2]",
        "3-4-1-5-6-2",
        "3 -> 4 -> 1 -> 5 -> 6 -> 2",
        "3 → 4 → 1 → 5 → 6 → 2",
        "The order of the 6 clips is 341562.",
        "341562 (6 clips, 48 frames)",
        "Clips 1,2,3,4,5,6 are shown.\n341562",
        "Clips 1,2,3,4,5,6 are shown. Answer: 341562",
        "\\boxed{3,\\ 4,\\ 1,\\ 5,\\ 6,\\ 2}",
    ],
)
def test_what_a_person_would_accept(text):
    assert score(text, TRUTH) == (1, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "34156",
        "3415627",
        "341566",
        "041562",
        "-341562",
        "3.41562",
        "3,4,1,5,6",
        "3,4,1,5,6,2,1",
        "a341562",
        "123456 or 341562",
        "٣٤١٥٦٢",
    ],
)
def test_what_is_not_an_answer(text):
    assert score(text, TRUTH) == (0, 0, 0)


@given(pairs)
def test_score_is_the_papers_formula(pair):
    answer, truth = pair
    reward, acc, parsed = score(answer, truth)
    assert reward == pytest.approx(float(exact_reward(answer, truth)))
    assert (acc, parsed) == (answer == truth, 1)


@pytest.mark.parametrize(("truth", "swapped"), [("123456", "213456"), ("12345678", "12345687")])
def test_known_values(truth, swapped):
    assert score(truth[::-1], truth) == (0, 0, 1)
    assert score(swapped, truth)[0] == pytest.approx({6: 0.889, 8: 0.938}[len(truth)], abs=5e-4)


@given(st.text())
def test_any_text_is_scored(text):
    reward, acc, parsed = score(text, TRUTH)
    assert 0 <= reward <= 1
    assert acc in (0, 1)
    assert reward == 0 or parsed == 1


@pytest.mark.parametrize("truth", ["", "1", "112", "134", "3,1,2", "012", "213\n", "٣١٢", "12345678910"])
def test_malformed_ground_truth_raises(truth):
    with pytest.raises(ValueError, match="ground truth of temporal_jigsaw"):
        score("312", truth)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_chance_is_the_best_constant_when_the_identity_is_never_drawn(n):
    identity, *drawn = map("".join, permutations("123456789"[:n]))
    best = max(sum(exact_reward(guess, truth) for truth in drawn) / len(drawn) for guess in [identity, *drawn])
    assert chance({"num_clips": n}) == pytest.approx(float(best))


def test_chance_in_the_papers_setting():
    every = [exact_reward("123456", "".join(truth)) for truth in permutations("123456")]
    assert float(sum(every) / len(every)) == pytest.approx(0.3519, abs=5e-5)
    assert chance({}) == pytest.approx(0.3523, abs=5e-5)


def test_one_clip_raises():
    with pytest.raises(ValueError, match="num_clips"):
        chance({"num_clips": 1})


@pytest.mark.parametrize("n", [2, 3, 5])
def test_exact_chance_is_one_of_the_orders_that_are_drawn(n):
    _, *drawn = permutations(range(n))
    assert exact_chance({"num_clips": n}) == pytest.approx(1 / len(drawn))
    assert exact_chance({}) == 1 / 719
