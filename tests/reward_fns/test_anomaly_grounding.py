import time
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_fns.anomaly_grounding import chance, exact_chance, score

TRUTH = "14.5-26.2"
tenths = st.integers(0, 9999)
intervals = st.tuples(tenths, tenths).filter(lambda ends: ends[0] < ends[1])


def written(interval):
    return "-".join(f"{end // 10}.{end % 10}" for end in interval)


def overlap_by_counting(a, b):
    """IoU of two intervals given in whole steps, by counting the steps in each."""
    one, other = set(range(*a)), set(range(*b))
    return Fraction(len(one & other), len(one | other))


@pytest.mark.parametrize(
    "text",
    [
        "14.5-26.2",
        " 14.5-26.2\n",
        "14.5 - 26.2 seconds",
        "14.5s-26.2s",
        "14.5 sec. - 26.2 sec.",
        "14.5 seconds to 26.2 seconds.",
        "14.5–26.2",
        "14.5 — 26.2",
        "14.5 ~ 26.2",
        "14.5 -26.2",
        "１４．５－２６．２",
        "14.50-26.20",
        "from 14.5 to 26.2",
        "between 14.5 and 26.2",
        "00:14.5 - 00:26.2",
        "0:00:14.5 - 0:00:26.2",
        "<14.5>-<26.2>",
        "[14.5, 26.2]",
        "**14.5** - **26.2**",
        "start: 14.5, end: 26.2",
        '{"start_time": 14.5, "end_time": 26.2}',
        "It starts at 14.5 seconds and ends at 26.2 seconds.",
        "\\boxed{14.5\\text{ s} - 26.2\\,\\text{s}}",
        "The event happens in the 14.5 - 26.2 seconds.",
        "Of the 48 frames, frames 10-20 are changed: 14.5-26.2.",
        "That is 30-40 % of the video, 14.5-26.2.",
        "First 3-4, then 5-6.\nfrom 14.5 to 26.2 seconds",
    ],
)
def test_what_a_person_would_accept(text):
    assert score(text, TRUTH) == (1, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no change",
        "14.5",
        "14.5 26.2",
        "-14.5-26.2",
        "14.5--26.2",
        "2-14.5-26.2",
        "14.5-26.2-30",
        "14,5-26,2",
        "14.5.1-26.2",
        "0:75 - 1:99",
        "frames 14.5-26.2",
        "14.5-26.2 minutes",
        "14.5-26.2 ms",
        "14.5-26.2%",
        "3-4 or 14.5-26.2",
        "14.5, 26.2 it is",
        "9" * 5000 + "-" + "9" * 5001,
        "٣-٩",
    ],
)
def test_what_is_not_an_answer(text):
    assert score(text, TRUTH) == (0, 0, 0)


def test_minutes_and_hours():
    assert score("1:05 - 2:10.5", "65.0-130.5") == (1, 1, 1)
    assert score("1:01:05 - 1:02:10", "3665.0-3730.0") == (1, 1, 1)


def test_reversed_and_empty_intervals_are_read_but_earn_nothing():
    assert score("26.2-14.5", TRUTH) == (0, 0, 1)
    assert score("15-15", TRUTH) == (0, 0, 1)


def test_exact_means_both_ends_at_one_decimal():
    assert score("14.51-26.19", TRUTH)[1] == 1
    assert score("14.5-26.3", TRUTH)[1] == 0
    assert score("14.4-26.2", TRUTH)[1] == 0


@given(intervals, intervals)
def test_score_is_the_overlap_counted_in_tenths(answer, truth):
    reward, acc, parsed = score(written(answer), written(truth))
    assert reward == pytest.approx(float(overlap_by_counting(answer, truth)), abs=1e-9)
    assert (acc, parsed) == (answer == truth, 1)


@given(st.text())
def test_any_text_is_scored(text):
    reward, acc, parsed = score(text, TRUTH)
    assert 0 <= reward <= 1
    assert acc in (0, 1)
    assert reward == 0 or parsed == 1


@pytest.mark.parametrize(
    "truth",
    ["", "14.5", "a-b", "26.2-14.5", "3-3", "-1-3", "1 - 3", "1-3s", "1-3\n", "٣-٩", "9" * 5000 + "-1"],
)
def test_malformed_ground_truth_raises(truth):
    with pytest.raises(ValueError, match="ground truth of anomaly_grounding"):
        score("1-3", truth)


def law(frames, shortest, longest, stride):
    lengths = [n for n in range(shortest, longest + 1) if n % stride == 0]
    for n in lengths:
        starts = range(0, frames - n + 1, stride)
        for s in starts:
            yield (s, s + n), Fraction(1, len(lengths) * len(starts))


def expected(guess, *knobs):
    return float(sum(p * overlap_by_counting(guess, segment) for segment, p in law(*knobs)))


@pytest.mark.parametrize(
    "knobs", [(12, 2, 4, 1), (12, 2, 6, 2), (13, 3, 7, 2), (9, 9, 9, 1), (10, 4, 4, 2), (16, 4, 9, 4)]
)
def test_chance_is_the_best_constant_on_the_frame_grid(knobs):
    best = max(expected(guess, *knobs) for guess in combinations(range(knobs[0] + 1), 2))
    names = ("num_frames", "min_length", "max_length", "stride")
    assert chance(dict(zip(names, knobs, strict=True))) == pytest.approx(best)


@given(st.integers(1, 14), st.data())
def test_chance_is_the_best_constant_for_any_knobs(frames, data):
    shortest = data.draw(st.integers(1, frames))
    longest = data.draw(st.integers(shortest, frames))
    best = max(expected(guess, frames, shortest, longest, 1) for guess in combinations(range(frames + 1), 2))
    knobs = {"num_frames": frames, "min_length": shortest, "max_length": longest, "stride": 1}
    assert chance(knobs) == pytest.approx(best)


def test_chance_has_an_end():
    started = time.perf_counter()
    assert 0 < chance({"num_frames": 4096, "min_length": 8, "max_length": 128}) < 0.1
    assert time.perf_counter() - started < 20
    for knobs in ({"num_frames": 10**6}, {"num_frames": 4096, "min_length": 1, "max_length": 4096}, {"stride": 0}):
        with pytest.raises(ValueError, match=r"must be a whole number from|raise the stride"):
            chance(knobs)


def test_no_finer_constant_is_better():
    knobs, fine = (8, 2, 4, 2), 6
    best = chance({"num_frames": 8, "min_length": 2, "max_length": 4, "stride": 2})
    finer = tuple(k * fine for k in knobs)
    guesses = combinations(range(finer[0] + 1), 2)
    scaled = [((s * fine, e * fine), p) for (s, e), p in law(*knobs)]
    found = max(float(sum(p * overlap_by_counting(guess, segment) for segment, p in scaled)) for guess in guesses)
    assert found == pytest.approx(best)


def test_chance_in_the_papers_setting():
    paper = (48, 8, 16, 1)
    assert expected((0, 48), *paper) == pytest.approx(0.25)
    assert chance({"stride": 1}) == pytest.approx(expected((10, 38), *paper))
    assert chance({"stride": 1}) == pytest.approx(0.306, abs=5e-4)
    assert chance({}) == pytest.approx(0.300, abs=5e-4)  # ours


def test_a_difficulty_without_a_segment_raises():
    with pytest.raises(ValueError, match="no segment"):
        chance({"num_frames": 8, "min_length": 10, "max_length": 12})


@pytest.mark.parametrize(
    "knobs", [(12, 2, 4, 1), (12, 2, 6, 2), (13, 3, 7, 2), (9, 9, 9, 1), (16, 4, 9, 4), (48, 8, 16, 1), (48, 8, 16, 2)]
)
def test_exact_chance_is_the_likeliest_segment(knobs):
    names = ("num_frames", "min_length", "max_length", "stride")
    likeliest = max(p for _, p in law(*knobs))
    assert exact_chance(dict(zip(names, knobs, strict=True))) == pytest.approx(float(likeliest))
