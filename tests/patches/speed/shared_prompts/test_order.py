"""A batch is shared out over ranks by its groups."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.patches.speed.shared_prompts.order import computed_tokens, share_out


def tags(lengths):
    return [{"prompt_len": prompt, "response_len": answer} for prompt, answer in lengths]


def test_groups_of_one_size_go_whole_to_a_rank():
    groups = list("abcdabcd")
    lengths = tags([(1000, 10), (10, 10), (900, 10), (20, 10)] * 2)
    ranks = share_out(groups, lengths, 2)
    assert sorted(sorted({groups[row] for row in rows}) for rows in ranks) == [["a", "b"], ["c", "d"]]
    computed = computed_tokens(groups, lengths, ranks)
    assert sorted(sum(computed[row] for row in rows) for rows in ranks) == [960, 1050]


def test_a_group_that_fits_nowhere_is_divided_last():
    """Three groups of two rows, and two ranks of three."""
    groups, lengths = list("aabbcc"), tags([(30, 1)] * 2 + [(20, 1)] * 2 + [(10, 1)] * 2)
    ranks = share_out(groups, lengths, 2)
    assert [[groups[row] for row in rows] for rows in ranks] == [list("aac"), list("bbc")]
    computed = computed_tokens(groups, lengths, ranks)
    assert [sum(computed[row] for row in rows) for rows in ranks] == [43, 33]


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    lengths=st.lists(st.integers(1, 99), min_size=6, max_size=6),
    ranks=st.integers(1, 4),
)
def test_any_batch_is_shared_out_evenly_and_stands_group_by_group(sizes, lengths, ranks):
    groups = [number for number, size in enumerate(sizes) for _ in range(size)]
    groups += range(len(sizes), len(sizes) + -len(groups) % ranks)  # rows that fill a batch up
    groups = [str(number) for number in groups[::2] + groups[1::2]]
    shares = share_out(groups, tags([(lengths[int(g) % 6], 1) for g in groups]), ranks)
    assert sorted(itertools.chain(*shares)) == list(range(len(groups)))
    assert {len(rows) for rows in shares} == {len(groups) // ranks}
    for rows in shares:
        named = [groups[row] for row in rows]
        assert len(list(itertools.groupby(named))) == len(set(named))
    assert sum(len({groups[row] for row in rows}) for rows in shares) <= len(set(groups)) + ranks - 1
