from hypothesis import given
from hypothesis import strategies as st

from data_preprocess.plan import (
    choose,
    draws_per_video,
    partners,
    rank_videos,
    share_out,
    shuffled,
    split_videos,
)

TASKS = ("a", "b", "c")
ids = st.lists(st.text("0123456789abcdef", min_size=16, max_size=16), unique=True, max_size=40)
weights = st.dictionaries(st.sampled_from(TASKS), st.floats(0.01, 100), min_size=1)


@given(ids, st.floats(0, 0.99))
def test_split_is_a_partition_whatever_the_order(videos, share):
    train, test = split_videos(videos, share)
    assert sorted(train + test) == sorted(videos)
    assert (set(train), set(test)) == tuple(map(set, split_videos(videos[::-1], share)))
    if len(videos) > 1:
        assert train
        assert bool(test) == (share > 0)


@given(ids, st.text("0123456789abcdef", min_size=16, max_size=16))
def test_one_more_video_moves_at_most_one_across(videos, new):
    before = set(split_videos(videos, 0.3)[1])
    after = set(split_videos({*videos, new}, 0.3)[1])
    assert len((before ^ after) - {new}) <= 1


@given(st.integers(0, 10_000), weights)
def test_share_out_adds_up_and_is_fair(count, by_task):
    parts = share_out(count, by_task)
    assert sum(parts.values()) == count
    total = sum(by_task.values())
    assert all(abs(parts[t] - count * w / total) < 1 for t, w in by_task.items())


def test_share_out_of_the_paper():
    assert share_out(30_000, {"a": 2, "b": 1, "c": 2}) == {"a": 12_000, "b": 6_000, "c": 12_000}


@given(ids.filter(lambda v: len(v) > 1), st.integers(0, 9))
def test_partner_is_another_video(videos, seed):
    by_video = partners(videos, seed)
    assert set(by_video) == set(videos)
    assert all(video != other for video, other in by_video.items())
    assert by_video == partners(videos[::-1], seed)


@given(st.dictionaries(st.sampled_from(TASKS), st.integers(0, 500)), st.integers(1, 100))
def test_twice_as_many_draws_as_wanted(wanted, videos):
    draws = draws_per_video(wanted, videos)
    assert all(2 * n <= draws.get(t, 0) * videos < 2 * n + videos for t, n in wanted.items())


sample_hashes = st.lists(st.none() | st.sampled_from("uvwxyz"), max_size=5)
drawn = st.dictionaries(st.sampled_from("ABCDEFG"), st.fixed_dictionaries({t: sample_hashes for t in TASKS}))


@given(drawn, st.fixed_dictionaries({t: st.integers(0, 12) for t in TASKS}), st.integers(0, 3))
def test_choose_takes_what_is_there(by_video, wanted, seed):
    picks = choose(by_video, wanted, seed)
    for task, count in wanted.items():
        chosen = [p for p in picks if p.subset == task]
        possible = sum(h is not None for d in by_video.values() for h in d[task])
        assert len(set(chosen)) == len(chosen) == min(count, possible)
        assert all(by_video[p.content_id][task][p.index] is not None for p in chosen)
        # No repeat is taken while a sample that would be new is left.
        distinct = sum(len(set(d[task]) - {None}) for d in by_video.values())
        taken = len({(p.content_id, by_video[p.content_id][task][p.index]) for p in chosen})
        assert taken == min(len(chosen), distinct)
    assert picks == choose(dict(reversed(by_video.items())), wanted, seed)
    assert sorted(shuffled(picks, seed)) == sorted(picks)


def test_choose_uses_all_videos_before_one_twice():
    by_video = {str(v): {t: ["p", "q", "r"] for t in TASKS} for v in range(12)}
    picks = choose(by_video, {"a": 4, "b": 4, "c": 4}, 0)
    assert len({p.content_id for p in picks}) == 12


def test_seed_changes_order_but_not_split():
    videos = [str(i) for i in range(50)]
    assert rank_videos(videos, 0) != rank_videos(videos, 1)
    assert sorted(rank_videos(videos, 0)) == sorted(videos)
