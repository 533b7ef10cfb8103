from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_fns.directions import DIRECTIONS, read_direction
from reward_fns.motion_primitives import GUESSES, KINDS, best_constant, chance, exact_chance, metric, score

ANGLES = {name: 45 * i for i, name in enumerate(DIRECTIONS)}
ORDERS = ["".join(order) for order in permutations("123")]
TRUTHS = [*DIRECTIONS, "1", "2", "3", *ORDERS]

READ = {
    "up-left": [
        "up-left", "Up-Left.", "**up-left**", "up left", "upleft", "left and up", "up and to the left", "up to left",
        "upper left", "top-left", "northwest", "north-west", "左上", "向左上方", "diagonally up and to the left",
        "The circle moves towards the upper left.", "from bottom right to top left", "The right answer is up-left",
        "It ends up moving up-left",
        "<think>right? down?</think>up-left",
        "It starts low.\nup-left",
        "up-left (northwest)",
        '{"answer": "up-left"}', "\\boxed{\\text{up-left}}", "Answer: leftward and upward",
    ],
    "right": ["right", "to the right", "It moves from left to right.", "eastwards", "向右", "从左到右",
              "left to right"],
    "down": ["down", "downwards", "from top to bottom", "straight down", "It moves south."],
}  # fmt: skip
UNREAD = [
    "", "up-left or left", "not up-left", "up-left is wrong", "up-left; up", "up, down, left, right",
    "up-left / right", "upright", "leftover", "left and right", "<think>up-left", "up-left? down-left?", "1",
    "It is right or left.",
]  # fmt: skip


@pytest.mark.parametrize("truth", READ)
def test_what_a_person_would_accept_as_a_direction(truth):
    assert [text for text in READ[truth] if score(text, truth) != (1, 1, 1)] == []


@pytest.mark.parametrize("text", UNREAD)
def test_what_is_no_direction(text):
    assert read_direction(text) is None


DIGITS = [
    "2", "2.", "(2)", "**2**", "object 2", "the 2nd", "the second from the left", "Square 2", "第二个", "two", "No. 2",
    "2 of the 3 squares", "2: the blue square", "At first under 1, in the end under 2.\n2", "<answer>2</answer>",
    "The 2nd square from the left", "It is behind the second square.",
]  # fmt: skip
NO_DIGITS = ["", "22", "2 or 3", "not 2", "1, 2", "second from the right", "-2", "2.5", "frame 2", "0"]


def test_digits():
    assert [text for text in DIGITS if score(text, "2") != (1, 1, 1)] == []
    assert [text for text in NO_DIGITS if score(text, "2") != (0, 0, 0)] == []
    assert score("3", "2") == (0, 0, 1)


@pytest.mark.parametrize(("answer", "truth"), list(product(DIRECTIONS, repeat=2)))
def test_directions_are_worth_by_their_angle(answer, truth):
    vectors = [np.array([np.cos(np.radians(ANGLES[w])), np.sin(np.radians(ANGLES[w]))]) for w in (answer, truth)]
    angle = np.degrees(np.arccos(np.clip(vectors[0] @ vectors[1], -1, 1)))
    assert score(answer, truth)[0] == pytest.approx(max(0, 1 - angle / 90), abs=1e-6)
    assert metric(answer, truth) == (answer == truth, 1)


@pytest.mark.parametrize(("answer", "reward"), [("213", 1), ("123", 0.5), ("231", 0.5), ("132", 0), ("312", 0)])
def test_orders_are_worth_by_their_places(answer, reward):
    assert score(answer, "213") == (reward, reward == 1, 1)


@given(st.sampled_from(TRUTHS), st.text())
def test_any_text_is_scored(truth, text):
    reward, acc, parsed = score(text, truth)
    assert 0 <= reward <= 1
    assert acc <= reward <= parsed
    assert metric(text, truth) == (acc, parsed)


@pytest.mark.parametrize("truth", TRUTHS)
def test_the_truth_itself_earns_everything(truth):
    assert score(truth, truth) == (1, 1, 1)


@pytest.mark.parametrize("truth", ["", "0", "12", "122", "x", "up-up", "Up", "1234567890", "１"])
def test_malformed_ground_truth_raises(truth):
    with pytest.raises(ValueError, match="ground truth of motion_primitives"):
        score("1", truth)


LAWS = {
    ("direction", 8): DIRECTIONS,
    ("direction", 4): DIRECTIONS[::2],
    ("faster", 0): "12",
    ("order", 3): ORDERS,
    ("order", 4): ["".join(order) for order in permutations("1234")],
    ("hidden", 3): "123",
    ("hidden", 5): "12345",
}
KNOB = {"direction": "directions", "order": "num_events", "hidden": "num_cups", "faster": "directions"}


@pytest.mark.parametrize(("kind", "size"), list(LAWS))
def test_chance_is_that_of_the_best_blind_answer(kind, size):
    truths = LAWS[kind, size]
    knobs = {"kinds": [kind]} | ({KNOB[kind]: size} if size else {})
    answers = DIRECTIONS if kind == "direction" else truths
    earned = [[score(answer, truth)[:2] for truth in truths] for answer in answers]
    best = np.array(earned).mean(axis=1).max(axis=0)
    assert (chance(knobs), exact_chance(knobs)) == pytest.approx(tuple(best))


def test_chance_of_several_kinds_is_their_mean():
    assert chance({}) == pytest.approx(np.mean([chance({"kinds": [kind]}) for kind in KINDS]))
    assert exact_chance({}) == pytest.approx((1 / 8 + 1 / 2 + 1 / 6 + 1 / 3) / 4)


@pytest.mark.parametrize("kind", KINDS)
def test_guesses_are_answers(kind):
    rng, truths = np.random.default_rng(0), {"direction": "up", "faster": "1", "order": "123", "hidden": "1"}
    guesses = [GUESSES["uniform guess"]({"kinds": [kind]}, 3.0, rng) for _ in range(600)]
    rewards = [score(guess, truths[kind]) for guess in guesses]
    assert all(parsed for _, _, parsed in rewards)
    assert np.mean([acc for _, acc, _ in rewards]) == pytest.approx(exact_chance({"kinds": [kind]}), abs=0.08)


def test_the_best_constant_answers_each_form():
    truths = ["up", "up", "left", "213", "2", "2", "1"]
    assert best_constant(truths, [1.0] * 7) == ["up"] * 3 + ["213"] + ["2"] * 3


@pytest.mark.parametrize(
    ("knobs", "word"),
    [
        ({"kinds": "order"}, "kinds"),
        ({"kinds": []}, "kinds"),
        ({"kinds": [["order"]]}, "kinds"),
        ({"directions": 6}, "directions"),
        ({"num_events": 10**6}, "num_events"),
        ({"num_cups": 2}, "num_cups"),
    ],
)
def test_wrong_knobs(knobs, word):
    for law in (chance, exact_chance):
        with pytest.raises(ValueError, match=word):
            law(knobs)
