from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_fns.object_counting import chance, exact_chance, score

TRUTH = "3,1,4"
counts = st.tuples(*[st.integers(0, 40)] * 3)


def written(numbers):
    return ",".join(map(str, numbers))


def exact_reward(answer, truth):
    eps = Fraction(1, 10**9)
    return sum(max(Fraction(0), 1 - abs(a - y) / (y + eps)) for a, y in zip(answer, truth, strict=True)) / 3


@pytest.mark.parametrize(
    "text",
    [
        "3,1,4",
        "3, 1, 4.",
        "(3,1,4)",
        "[3, 1, 4]",
        "3 1 4",
        "3;1;4",
        "3，1，4",
        "3, 1, and 4",
        "3.0,1,4",
        "Answer: 3,1,4",
        "3,1,4 in 48 frames",
        "In 48 frames: 3,1,4",
        "circles: 3, squares: 1, triangles: 4",
        "Triangles: 4\nSquares: 1\nCircles: 3",
        "Circles - 3, rectangles - 1, triangles - 4",
        '{"triangles": 4, "circles": 3, "squares": 1}',
        "| circles | 3 |\n| squares | 1 |\n| triangles | 4 |",
        "circles 3 squares 1 triangles 4",
        "3 circles, 1 square and 4 triangles",
        "I see 3 red circles, 1 big square and 4 triangles in frames 2, 5, 9.",
        "circles: 3, squares: 1, triangles: 4, that is 3,1,4",
        "frame 2: 2 circles; frame 9: 1 circle, 1 square; frame 30: 4 triangles. Together 3,1,4",
        "circles: 2+1 = 3\n3,1,4",
        "frame 3 has circles, frame 5 has squares, frame 9 has triangles: 3,1,4",
        "3,1,5? No.\nFinal answer: 3,1,4",
    ],
)
def test_what_a_person_would_accept(text):
    assert score(text, TRUTH) == (1, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "many",
        "3,1",
        "3,1,4,1",
        "-3,1,4",
        "3,-1,4",
        "3.5,1,4",
        "3,1,4 or 3,1,5",
        "frames 3, 1, 4",
        "circles: 3, squares: 1",
        "circles: -3, squares: 1, triangles: 4",
        "circles: 3 or 4, squares: 1, triangles: 4",
        "circles: 3, squares: 1, triangles: 4, so 3,1,5",
        "3%,1%,4%",
        "٣,١,٤",
    ],
)
def test_what_is_not_an_answer(text):
    assert score(text, TRUTH) == (0, 0, 0)


def test_huge_numbers_are_read():
    assert score("9" * 5000 + ",1,4", TRUTH) == (pytest.approx(2 / 3), 0, 1)


@given(counts, counts)
def test_score_is_the_papers_formula(answer, truth):
    reward, acc, parsed = score(written(answer), written(truth))
    assert reward == pytest.approx(float(exact_reward(answer, truth)), abs=1e-12)
    assert (acc, parsed) == (answer == truth, 1)


@given(st.text())
def test_any_text_is_scored(text):
    reward, acc, parsed = score(text, TRUTH)
    assert 0 <= reward <= 1
    assert acc in (0, 1)
    assert reward == 0 or parsed == 1


@pytest.mark.parametrize("truth", ["", "3,1", "3,1,4,1", "3, 1, 4", "-3,1,4", "3.0,1,4", "a,b,c", "3,1,4\n", "٣,١,٤"])
def test_malformed_ground_truth_raises(truth):
    with pytest.raises(ValueError, match="ground truth of object_counting"):
        score("3,1,4", truth)


def law(min_frames, max_frames, min_instances, max_instances):
    """Every draw of one shape with its probability, written out."""
    share = Fraction(1, max_frames - min_frames + 1)
    each = range(min_instances, max_instances + 1)
    for frames in range(min_frames, max_frames + 1):
        for instances in product(each, repeat=frames):
            yield sum(instances), share / len(each) ** frames


@pytest.mark.parametrize("knobs", [(1, 3, 1, 3), (1, 4, 1, 4), (2, 2, 1, 5), (0, 2, 1, 2), (1, 1, 3, 3)])
def test_chance_is_the_best_constant(knobs):
    best = max(float(sum(p * exact_reward([guess] * 3, [y] * 3) for y, p in law(*knobs))) for guess in range(21))
    names = ("min_frames", "max_frames", "min_instances", "max_instances")
    assert chance(dict(zip(names, knobs, strict=True))) == pytest.approx(best)


def test_chance_in_the_papers_settings():
    assert chance({}) == pytest.approx(0.583, abs=5e-4)
    assert chance({"max_frames": 4, "max_instances": 4}) == pytest.approx(0.548, abs=5e-4)


def test_a_difficulty_with_empty_ranges_raises():
    with pytest.raises(ValueError, match="ordered"):
        chance({"min_frames": 3, "max_frames": 2})


@pytest.mark.parametrize("knobs", [(1, 3, 1, 3), (1, 4, 1, 4), (2, 2, 1, 5), (0, 2, 1, 2)])
def test_exact_chance_is_the_likeliest_answer(knobs):
    names = ("min_frames", "max_frames", "min_instances", "max_instances")
    likeliest = max(sum(p for y, p in law(*knobs) if y == guess) for guess in range(21))
    assert exact_chance(dict(zip(names, knobs, strict=True))) == pytest.approx(float(likeliest**3))
