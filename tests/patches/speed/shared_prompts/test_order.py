"""A batch is shared out over ranks by its groups."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.patches.speed.shared_prompts.order import order_by_groups


def tags(lengths):
    return [{"prompt_len": prompt, "response_len": answer} for prompt, answer in lengths]


def test_groups_of_one_size_go_whole_to_a_rank():
    groups = list("abcdabcd")
    lengths = [(1000, 10), (10, 10), (900, 10), (20, 10)] * 2
    order = order_by_groups(groups, tags(lengths), 2)
    ranks = [{groups[row] for row in rows} for rows in (order[:4], order[4:])]
    assert sorted(map(sorted, ranks)) == [["a", "b"], ["c", "d"]]  # 1,010 + 40 tokens and 920 + 40


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6), ranks=st.integers(1, 4))
def test_any_batch_keeps_its_rows_and_stands_group_by_group(sizes, ranks):
    groups = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    groups = groups[::2] + groups[1::2]
    order = order_by_groups(groups, tags([(5, 1)] * len(groups)), ranks)
    assert sorted(order) == list(range(len(groups)))
    named = [groups[row] for row in order]
    changes = sum(one != other for one, other in itertools.pairwise(named))
    assert changes == len(set(groups)) - 1
