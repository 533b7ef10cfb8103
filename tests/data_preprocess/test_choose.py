from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from data_preprocess.choose import choose, draws_per_video, rank_videos, share_out, shuffled, split_videos
from videossr_verl.tasks.partners import partners

TASKS = ("a", "b", "c")
ids = st.lists(st.text("0123456789abcdef", min_size=16, max_size=16), unique=True, max_size=40)


def alone(videos):
    return {video: video for video in videos}


@st.composite
def look_alikes(draw):
    """Content id -> the first of its look-alikes."""
    videos = sorted(draw(ids))
    groups = draw(st.lists(st.integers(0, 6), min_size=len(videos), max_size=len(videos)))
    return {video: videos[groups.index(group)] for video, group in zip(videos, groups, strict=True)}


weights = st.dictionaries(st.sampled_from(TASKS), st.floats(0.01, 100), min_size=1)


@given(look_alikes(), st.floats(0, 0.99))
def test_split_is_a_partition_of_groups_whatever_the_order(videos, share):
    train, test = split_videos(videos, share)
    assert sorted(train + test) == sorted(videos)
    assert (train, test) == split_videos(dict(reversed(videos.items())), share)
    assert not {videos[c] for c in train} & {videos[c] for c in test}
    if len(set(videos.values())) > 1:
        assert train
        assert bool(test) == (share > 0)
        smallest = min(Counter(videos.values()).values())
        assert len(test) <= max(1, round(share * len(videos)), smallest)


@given(ids, st.text("0123456789abcdef", min_size=16, max_size=16))
def test_one_more_video_moves_at_most_one_across(videos, new):
    before = set(split_videos(alone(videos), 0.3)[1])
    after = set(split_videos(alone({*videos, new}), 0.3)[1])
    assert len((before ^ after) - {new}) <= 1


@given(st.integers(0, 10_000), weights)
def test_share_out_adds_up_and_is_fair(count, by_task):
    parts = share_out(count, by_task)
    assert sum(parts.values()) == count
    total = sum(by_task.values())
    assert all(abs(parts[t] - count * w / total) < 1 for t, w in by_task.items())


def test_share_out_of_the_paper():
    assert share_out(30_000, {"a": 2, "b": 1, "c": 2}) == {"a": 12_000, "b": 6_000, "c": 12_000}


@given(look_alikes(), st.integers(0, 9))
def test_partner_looks_different(videos, seed):
    by_video = partners(videos, seed)
    assert set(by_video) == (set(videos) if len(set(videos.values())) > 1 else set())
    assert all(videos[video] != videos[other] for video, other in by_video.items())
    assert by_video == partners(dict(reversed(videos.items())), seed)


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
