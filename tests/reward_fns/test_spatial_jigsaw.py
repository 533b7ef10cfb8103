"""The reward of the spatial jigsaw against its definition, counted another way, and against odd answers."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_fns.spatial_jigsaw import GUESSES, chance, exact_chance, metric, score, score_in_parts

TURNED = {"rows": 2, "columns": 2, "turns": True}
TRUTH = "3U,1M,4L,2D"
GRIDS = [(2, 2), (2, 3), (3, 2), (1, 4), (3, 3), (2, 4)]


def where(order, columns):
    """piece -> (row, column)."""
    return {piece: np.array(divmod(place, columns)) for place, piece in enumerate(order)}


def distance(a, b, columns):
    at, right = where(a, columns), where(b, columns)
    return sum(int(np.abs(at[piece] - right[piece]).sum()) for piece in at)


@st.composite
def questions(draw):
    """(rows, columns, truth, answer)."""
    rows, columns = draw(st.sampled_from(GRIDS))
    return rows, columns, *("".join(draw(st.permutations("123456789"[: rows * columns]))) for _ in range(2))


@given(questions())
def test_placement_against_the_definition(question):
    rows, columns, truth, answer = question
    in_order = "".join(sorted(truth))
    expected = 1 - distance(answer, truth, columns) / distance(in_order, in_order[::-1], columns)
    knobs = {"rows": rows, "columns": columns}
    value, acc, parsed, parts = score_in_parts(answer, truth, knobs)
    assert value == pytest.approx(expected)
    assert parts == {"placement": value}
    assert (acc, parsed) == (answer == truth, 1)
    assert (value == 1) == (answer == truth)
    assert metric(answer, truth, knobs) == (np.mean([a == b for a, b in zip(answer, truth, strict=True)]), 1)


@pytest.mark.parametrize(("rows", "columns"), GRIDS[:4])
def test_no_order_is_farther_than_the_reversed_one(rows, columns):
    right = "123456789"[: rows * columns]
    knobs = {"rows": rows, "columns": columns}
    values = [score("".join(order), right, knobs)[0] for order in permutations(right)]
    assert min(values) == score(right[::-1], right, knobs)[0] == 0


def test_known_values():
    assert score("213456", "123456", {})[0] == pytest.approx(1 - 2 / 14)  # two neighbours
    assert score("423156", "123456", {})[0] == pytest.approx(1 - 2 / 14)  # one above the other
    assert score("623451", "123456", {})[0] == pytest.approx(1 - 6 / 14)  # opposite corners


@given(st.permutations("1234"), st.permutations("1234"), st.lists(st.sampled_from("UMRDL"), min_size=8, max_size=8))
def test_turns_belong_to_pieces_wherever_they_are_put(order, right, turns):
    said, shown = dict(zip("1234", turns[:4], strict=True)), dict(zip("1234", turns[4:], strict=True))
    answer, truth = (",".join(piece + of[piece] for piece in some) for some, of in ((order, said), (right, shown)))
    value, acc, parsed, parts = score_in_parts(answer, truth, TURNED)
    assert parts["turn"] == np.mean([said[piece] == shown[piece] for piece in "1234"])
    assert parts["placement"] == score("".join(order), "".join(right), {"rows": 2, "columns": 2})[0]
    assert value == pytest.approx((parts["turn"] + parts["placement"]) / 2)
    assert (acc, parsed) == (answer == truth, 1)
    whole = [a == b and said[a] == shown[a] for a, b in zip(order, right, strict=True)]
    assert metric(answer, truth, TURNED) == (np.mean(whole), 1)


@pytest.mark.parametrize(("rows", "columns"), GRIDS[:4])
def test_chance_is_the_mean_over_all_truths_for_any_answer(rows, columns):
    knobs, pieces = {"rows": rows, "columns": columns}, "123456789"[: rows * columns]
    truths = ["".join(truth) for truth in permutations(pieces)]
    for answer in (pieces, pieces[::-1], pieces[1:] + pieces[:1]):
        scored = [score(answer, truth, knobs) for truth in truths]
        assert chance(knobs) == pytest.approx(np.mean([one[0] for one in scored]))
        assert exact_chance(knobs) == pytest.approx(np.mean([one[1] for one in scored]))


def test_chance_with_turns():
    knobs = TURNED | {"columns": 1}
    truths = [",".join(map("".join, zip(order, turns, strict=True)))
              for order in permutations("12") for turns in product("UMRDL", repeat=2)]  # fmt: skip
    for answer in ("1U,2U", "2D,1R"):
        scored = [score(answer, truth, knobs) for truth in truths]
        assert chance(knobs) == pytest.approx(np.mean([one[0] for one in scored]))
        assert exact_chance(knobs) == pytest.approx(np.mean([one[1] for one in scored]))


@pytest.mark.parametrize("knobs", [{}, TURNED])
def test_a_uniform_guess_earns_chance(knobs):
    rng = np.random.default_rng(0)
    guess = GUESSES["uniform guess"]
    scored = [score(guess(knobs, 4.0, rng), guess(knobs, 4.0, rng), knobs) for _ in range(2000)]
    assert all(parsed for _, _, parsed in scored)
    values = [one[0] for one in scored]
    assert np.mean(values) == pytest.approx(chance(knobs), abs=4 * np.std(values) / 2000**0.5)


@pytest.mark.parametrize(
    "text",
    [
        "3U,1M,4L,2D",
        "3U, 1M, 4L, 2D",
        "3u 1m 4l 2d",
        "3U\n1M\n4L\n2D",
        "3U,\n1M,\n4L,\n2D.",
        "[3U, 1M, 4L, 2D]",
        '["3U", "1M", "4L", "2D"]',
        '{"answer": ["3U", "1M", "4L", "2D"]}',
        "3-U, 1-M, 4-L, 2-D",
        "3:U, 1:M, 4:L, 2:D",
        "3: U, 1: M, 4: L, 2: D",
        '{"3": "U", "1": "M", "4": "L", "2": "D"}',
        "3(U), 1(M), 4(L), 2(D)",
        "3 (upright), 1 (mirrored), 4 (left), 2 (upside down)",
        "Piece 3U, piece 1M, piece 4L, piece 2D",
        "Piece 3 is upright, piece 1 is mirrored, piece 4 is turned left, piece 2 is turned upside down",
        "3 upright -> 1 mirrored -> 4 anticlockwise -> 2 upside-down",
        "3U → 1M → 4L → 2D",
        "1. 3U\n2. 1M\n3. 4L\n4. 2D",
        "\\boxed{3U,1M,4L,2D}",
        "<think>Perhaps 1U,2U,3U,4U? No.</think>3U,1M,4L,2D",
        "It is 1U,2U,3U,4U or not.\n3U,1M,4L,2D",
        "Answer: 3U, 1M, 4L, 2D (4 pieces)",
        "**3U**, **1M**, **4L**, **2D**",
        "3Ｕ，1Ｍ，4Ｌ，2Ｄ",
    ],
)
def test_what_a_person_would_accept(text):
    assert score(text, TRUTH, TURNED) == (1, 1, 1)


def test_the_colons_of_pieces_in_order_are_no_list():
    assert score("1: U, 2: M, 3: L, 4: D", "1U,2M,3L,4D", TURNED) == (1, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3142",
        "UMLD",
        "3U,1M,4L",
        "3U,1M,4L,2D,5U",
        "3U,1M,4L,3D",
        "3U,1M,4L,2X",
        "3U,1M,4L,2",
        "not 3U,1M,4L,2D",
        "3U,1M,4L,2D is wrong",
        "3U,1M,4L,2D or 3U,1M,4L,2U",
        "3U,1M,4L,2D or U",
        "<think>3U,1M,4L,2D",
        "-3U,1M,4L,2D",
        "3U1M4L2Doctor",
        "13U,1M,4L,2D",
    ],
)
def test_what_is_no_answer(text):
    assert score(text, TRUTH, TURNED) == (0, 0, 0)


@given(st.text())
def test_any_text_is_scored(text):
    for truth, knobs in ((TRUTH, TURNED), ("341562", {})):
        value, acc, parsed, parts = score_in_parts(text, truth, knobs)
        assert 0 <= value <= 1
        assert acc <= parsed
        assert parsed or (value == 0 and not any(parts.values()))


@pytest.mark.parametrize("truth", ["", "3142", "3U1M4L2D", "3U,1M,4L", "3U,1M,4L,2X", "3U,1M,4L,4D", "3u,1m,4l,2d"])
def test_a_malformed_truth_with_turns_raises(truth):
    with pytest.raises(ValueError, match="ground truth of spatial_jigsaw must be the 4 pieces of 2 x 2 in the form 3U"):
        score(TRUTH, truth, TURNED)


@pytest.mark.parametrize("truth", ["", "3142", "341566", "3,4,1,5,6,2", "34156", "3415627", TRUTH])
def test_a_malformed_truth_raises(truth):
    with pytest.raises(
        ValueError, match="ground truth of spatial_jigsaw must be the 6 pieces of 2 x 3 in the form 3142"
    ):
        score("341562", truth)


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"rows": 4, "columns": 4}, "must be 2 to 9 pieces, not 4 x 4"),
        ({"rows": 1, "columns": 1}, "must be 2 to 9 pieces, not 1 x 1"),
        ({"rows": 0}, "rows must be a whole number from 1 to 9"),
        ({"turns": "yes"}, "turns of spatial_jigsaw must be true or false, not 'yes'"),
    ],
)
def test_impossible_knobs(knobs, sentence):
    with pytest.raises(ValueError, match=sentence):
        chance(knobs)
