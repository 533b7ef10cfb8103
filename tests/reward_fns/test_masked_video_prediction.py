"""The reward of masked video prediction against its definition, counted another way, and against odd answers."""

from itertools import permutations
from string import ascii_uppercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_fns.masked_video_prediction import chance, exact_chance, score, score_in_parts


@st.composite
def questions(draw):
    """(truth, pool, an answer of the right length)."""
    count = draw(st.integers(1, 5))
    pool = ascii_uppercase[: count + draw(st.integers(0, 5))]
    truth, answer = ("".join(draw(st.permutations(pool))[:count]) for _ in range(2))
    return truth, pool, answer


def ask(answer, truth, pool):
    return score(", ".join(answer), truth, {"num_distractors": len(pool) - len(truth)})


@given(questions())
def test_against_the_definition(question):
    truth, pool, answer = question
    count = len(truth)
    selection = len(set(truth) & set(answer)) / count
    credit = []
    for place, label in enumerate(truth):
        if label in answer:
            credit.append(1 - abs(answer.index(label) - place) / (count - 1) if count > 1 else 1)
    order = sum(credit) / count
    value, acc, parsed = ask(answer, truth, pool)
    assert value == pytest.approx((selection + order) / 2)
    assert acc == float(answer == truth) == float(value == 1)
    assert parsed == 1
    earned = score_in_parts(answer, truth, {"num_distractors": len(pool) - count})[3]
    assert earned == pytest.approx({"selection": selection, "order": order})


@given(questions(), st.data())
def test_mending_one_mistake_never_costs(question, data):
    truth, pool, answer = question
    before = ask(answer, truth, pool)[0]
    i, j = sorted(data.draw(st.integers(0, len(truth) - 1)) for _ in range(2))
    missing = [label for label in truth if label not in answer]
    mended = list(answer)
    kind = data.draw(st.sampled_from(["choose", "exchange", "place"]))
    if kind == "choose":
        if answer[i] in truth or not missing:
            return
        mended[i] = data.draw(st.sampled_from(missing))
    elif kind == "exchange":
        if answer[i] not in truth or answer[j] not in truth or truth.index(answer[i]) <= truth.index(answer[j]):
            return
        mended[i], mended[j] = mended[j], mended[i]
    elif truth[i] in mended:
        at = mended.index(truth[i])
        mended[i], mended[at] = mended[at], mended[i]
    else:
        mended[i] = truth[i]
    assert ask("".join(mended), truth, pool)[0] >= before - 1e-12


@pytest.mark.parametrize(("count", "distractors"), [(1, 0), (1, 3), (2, 1), (3, 2), (4, 1), (3, 4)])
def test_chance_is_the_mean_over_all_truths(count, distractors):
    pool = ascii_uppercase[: count + distractors]
    guess = pool[:count]
    scores = [ask(guess, "".join(truth), pool)[0] for truth in permutations(pool, count)]
    assert chance({"num_masked": count, "num_distractors": distractors}) == pytest.approx(sum(scores) / len(scores))


@pytest.mark.parametrize(
    "text",
    [
        "C, A, F",
        "C A F",
        "CAF",
        "caf",
        "c, a, f",
        "[C, A, F]",
        "C -> A -> F",
        "C → A → F",
        "C then A then F",
        "**C, A, F**",
        "Answer: C, A, F.",
        "The answer is CAF",
        "<answer>caf</answer>",
        "\\boxed{C, A, F}",
        "<think>Maybe A, B, C? No.</think>C, A, F",
        "A cat jumps, so frame B comes too late.\nC, A, F",
        "The face of the cab is red. Answer: C, A, F",
    ],
)
def test_what_a_person_would_accept(text):
    assert score(text, "CAF", {"num_distractors": 5}) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "C, A",
        "C, A, F, B",
        "C, A, A",
        "C, A, Z",
        "C, A, I",
        "CAB or CAF",
        "I see a bad cab.",
        "A face.",
        "<think>C, A, F",
        "3, 1, 6",
    ],
)
def test_no_answer(text):
    assert score(text, "CAF", {"num_distractors": 5}) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("truth", ["", "CAA", "CAZ", "caf", "C, A, F", "CAF of 8"])
def test_a_malformed_truth_raises(truth):
    with pytest.raises(ValueError, match="must be different letters of a pool of"):
        score("C, A, F", truth)


@pytest.mark.parametrize("knobs", [{"num_masked": 0}, {"num_masked": 20, "num_distractors": 7}])
def test_impossible_knobs(knobs):
    with pytest.raises(ValueError, match="1 to 26 frames are possible"):
        chance(knobs)


@given(questions(), st.floats(0, 1))
def test_the_weight_of_order(question, weight):
    truth, pool, answer = question
    knobs = {"num_distractors": len(pool) - len(truth), "order_weight": weight}
    earned = score_in_parts(answer, truth, knobs)[3]
    expected = (1 - weight) * earned["selection"] + weight * earned["order"]
    assert score(answer, truth, knobs)[0] == pytest.approx(expected)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan"), "half", None])
def test_a_wrong_weight(weight):
    for call in (lambda knobs: score("CAF", "CAF", knobs), chance):
        with pytest.raises(ValueError, match="order_weight of masked_video_prediction must be a number from 0 to 1"):
            call({"order_weight": weight})


def test_chance_with_another_weight():
    for weight in (0, 0.3, 1):
        scores = [score("ABC", "".join(t), {"num_distractors": 2, "order_weight": weight})[0]
                  for t in permutations("ABCDE", 3)]  # fmt: skip
        assert chance({"num_masked": 3, "num_distractors": 2, "order_weight": weight}) == pytest.approx(
            sum(scores) / len(scores)
        )


@given(st.text(max_size=300))
def test_any_text(text):
    value, acc, parsed = score(text, "CAF", {"num_distractors": 5})
    assert 0 <= value <= 1
    assert acc <= parsed
    assert parsed or value == 0


@pytest.mark.parametrize(("count", "distractors"), [(1, 3), (3, 2), (4, 4)])
def test_exact_chance_is_one_arrangement_of_the_pool(count, distractors):
    arrangements = list(permutations(ascii_uppercase[: count + distractors], count))
    assert exact_chance({"num_masked": count, "num_distractors": distractors}) == pytest.approx(1 / len(arrangements))
