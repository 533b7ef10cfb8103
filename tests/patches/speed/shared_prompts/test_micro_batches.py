"""Micro-batches by computed tokens: any batch stands in them whole, within the limit, in as many as are asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.patches.speed.shared_prompts.layout import Group, Layout
from videossr_verl.patches.speed.shared_prompts.micro_batches import divide, fill

LIMIT = 40
GROUPS = st.lists(
    st.tuples(st.integers(1, 30), st.lists(st.integers(0, 10), min_size=1, max_size=6)), min_size=1, max_size=6
)


def layout(sizes):
    groups, row = [], 0
    for prompt, answers in sizes:
        groups.append(Group(tuple(range(row, row + len(answers))), prompt, tuple(answers)))
        row += len(answers)
    return Layout(tuple(groups))


@given(sizes=GROUPS, more=st.integers(0, 20))
def test_any_batch_in_any_number(sizes, more):
    batch = layout(sizes)
    found = fill(batch, LIMIT)
    number = min(len(found) + more, len(batch.rows))
    divided = divide(found, number)
    assert len(divided) == number
    lengths = [sum(group.tokens for group in groups) for groups in divided]
    assert max(lengths) <= LIMIT
    assert lengths == sorted(lengths, reverse=True)
    told = {
        row: (group.prompt, answer)
        for groups in divided
        for group in groups
        for row, answer in zip(group.rows, group.answers, strict=True)
    }
    assert sum(len(group.rows) for groups in divided for group in groups) == len(batch.rows)
    assert told == {
        row: (group.prompt, answer)
        for group in batch.groups
        for row, answer in zip(group.rows, group.answers, strict=True)
    }


def test_groups_stay_whole_and_fill_the_limit():
    """Four groups of 20 tokens; stock verl would count 56 for each."""
    found = fill(layout([(12, [2, 2, 2, 2])] * 4), LIMIT)
    assert sorted(len(groups) for groups in found) == [2, 2]
    assert all(len(group.rows) == 4 for groups in found for group in groups)


def test_a_group_that_is_too_large_is_cut():
    (first, *_), (second, *_) = fill(layout([(20, [10, 10, 10, 10])]), LIMIT)
    assert sorted(first.rows + second.rows) == [0, 1, 2, 3]
    assert len(first.rows) == len(second.rows) == 2


def test_a_row_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="a row has 41 tokens, and a micro-batch may have 40: raise max_token_len"):
        fill(layout([(30, [11])]), LIMIT)
