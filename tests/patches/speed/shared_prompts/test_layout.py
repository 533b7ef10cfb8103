"""Every token stands where it belongs, and only what is equal is shared."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.patches.speed.shared_prompts.groups import find_groups
from videossr_verl.prompt.pixels import PromptPixels

CPU = torch.device("cpu")
# (prompt's number, answer): rows with one number have the same prompt.
ROWS = st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(10, 99), max_size=4)), min_size=1, max_size=8)
PROMPTS = ([1, 2, 3], [1, 2], [4])


def rows_of(drawn):
    return [torch.tensor([*PROMPTS[number], *answer]) for number, answer in drawn], [len(answer) for _, answer in drawn]


@given(drawn=ROWS)
def test_a_group_is_its_prompt_and_then_its_answers(drawn):
    rows, answers = rows_of(drawn)
    layout = find_groups(rows, answers, [None] * len(rows))
    shared = torch.cat(rows)[layout.indices(CPU).tokens].tolist()
    seen = []
    for group, (prompt, parts) in zip(layout.groups, layout.spans(), strict=True):
        number = drawn[group.rows[0]][0]
        assert shared[prompt] == PROMPTS[number]
        assert [shared[part] for part in parts] == [drawn[row][1] for row in group.rows]
        assert {drawn[row][0] for row in group.rows} == {number}
        seen += group.rows
    assert sorted(seen) == list(range(len(rows)))
    assert len(layout.groups) == len({number for number, _ in drawn})
    assert layout.tokens == len(shared)


@given(drawn=ROWS)
def test_each_answer_token_is_predicted_by_the_one_before_it(drawn):
    rows, answers = rows_of(drawn)
    layout = find_groups(rows, answers, [None] * len(rows))
    packed, indices = torch.cat(rows), layout.indices(CPU)
    before = packed[indices.tokens][indices.source].tolist()
    assert before == packed[indices.targets].tolist()
    assert (indices.labels == indices.targets + 1).all()
    predicted = sorted(indices.labels.tolist())
    ends = torch.tensor([len(row) for row in rows]).cumsum(0).tolist()
    assert predicted == [place for end, length in zip(ends, answers, strict=True) for place in range(end - length, end)]


def media(seed):
    generator = torch.Generator().manual_seed(seed)
    return {"pixel_values_videos": torch.rand(4, 3, generator=generator), "video_grid_thw": torch.tensor([[1, 2, 2]])}


def groups(*inputs):
    rows = [torch.tensor([1, 2, 3, 9])] * len(inputs)
    return [group.rows for group in find_groups(rows, [1] * len(rows), inputs).groups]


def test_the_same_words_about_other_pixels_are_another_prompt():
    assert groups(media(0), media(1), media(0)) == [(0, 2), (1,)]
    assert groups(media(0), None, {}, media(0)) == [(0, 3), (1, 2)]
    assert groups(media(0), media(0) | {"second_per_grid_ts": None}) == [(0,), (1,)]
    assert groups(media(0), {k: v.double() for k, v in media(0).items()}) == [(0,), (1,)]


def pixels(key=None, value=1, mean=(0.5,)):
    return {"pixel_values_videos": PromptPixels(mean, (1.0,), None if key else torch.full((2, 3), value), key)}


def test_pixels_that_are_still_bytes_are_compared_too():
    """As rollouts hand them on: here, or by the key under which they are kept."""
    assert groups(pixels("a"), pixels("b"), pixels("a")) == [(0, 2), (1,)]
    assert groups(pixels(), pixels(value=2), pixels()) == [(0, 2), (1,)]
    assert groups(pixels("a"), pixels("a", mean=(0.4,)), pixels()) == [(0,), (1,), (2,)]


def test_nothing_is_saved_where_every_row_has_its_own_prompt():
    rows = [torch.tensor([1, 9]), torch.tensor([2, 9])]
    assert not find_groups(rows, [1, 1], [None, None]).saves
    assert find_groups([rows[0], rows[0]], [1, 1], [None, None]).saves
