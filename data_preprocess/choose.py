"""Decides which videos train and which test, how many samples each draws, and which samples are taken.

Pure functions of names and numbers, so that every run of a build, from the start or resumed, decides alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from videossr_verl.tasks.partners import ranked_groups
from videossr_verl.tasks.seeds import digest

SPARE = 2  # draws per wanted sample: some clips cannot carry some subsets, and a second decode would cost more


@dataclass(frozen=True, order=True)
class Pick:
    """Sample number `index` of a subset from the video `content_id`."""

    content_id: str
    subset: str
    index: int


def split_videos(look_alikes: Mapping[str, str], test_share: float) -> tuple[list[str], list[str]]:
    """Returns (train, test): disjoint videos, with no look-alikes across. Each split that is wanted gets at least one
    video, if possible.

    The order is a hash of the content alone, so the seed, file names and other videos do not move a video
    across, and a grown corpus keeps almost every video where it was. Look-alikes go where the video goes that stands
    for them, or to train if there are more of them than the test set still lacks.

    Args:
        look_alikes: content id -> the one that stands for its look-alikes (see `look_alikes.group_look_alikes`).
    """
    groups = ranked_groups(look_alikes, "split")
    if not 0 < test_share < 1:
        everything = [c for group in groups for c in group]
        return ([], everything) if test_share else (everything, [])
    wanted = max(1, round(test_share * len(look_alikes)))
    if len(groups) > 1 and min(map(len, groups)) > wanted:
        wanted = min(map(len, groups))
    train: list[str] = []
    test: list[str] = []
    for place, group in enumerate(groups):
        is_last_for_train = place == len(groups) - 1 and not train
        (train if is_last_for_train or len(test) + len(group) > wanted else test).extend(group)
    return train, test


def share_out(count: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Spreads `count` samples over subsets by weight. The largest remainders are rounded up, so the numbers add up to
    `count`.
    """
    total = sum(weights.values())
    exact = {subset: count * weight / total for subset, weight in weights.items()}
    parts = {subset: math.floor(x) for subset, x in exact.items()}
    rest = sorted(exact, key=lambda subset: (parts[subset] - exact[subset], subset))[: count - sum(parts.values())]
    return {subset: n + (subset in rest) for subset, n in parts.items()}


def rank_videos(content_ids: Iterable[str], seed: int) -> list[str]:
    """Returns the order in which videos are used, so that a small dataset from a large corpus is a fair draw of it."""
    return sorted(content_ids, key=lambda c: digest("rank", seed, c))


def draws_per_video(wanted: Mapping[str, int], videos: int) -> dict[str, int]:
    """Returns how many samples of each subset to draw from every one of `videos` clips."""
    return {subset: math.ceil(SPARE * count / videos) for subset, count in wanted.items() if count}


def choose(drawn: Mapping[str, Mapping[str, Sequence[str | None]]], wanted: Mapping[str, int], seed: int) -> list[Pick]:
    """Returns the drawn samples that enter the dataset, with as many different videos and as few repeats as possible.

    Args:
        drawn: content id -> subset -> for each index a hash of the sample, or None if it could not be drawn.
        wanted: samples by subset.
    Returns:
        picks in subset order; fewer than wanted for a subset when not enough were drawn.
    """
    uses: Counter[str] = Counter()
    picks: list[Pick] = []
    for subset, count in sorted(wanted.items()):
        candidates = []
        for content_id, by_subset in drawn.items():
            tie = digest("choose", seed, subset, content_id)
            seen: set[str] = set()
            good = [(i, sample) for i, sample in enumerate(by_subset.get(subset, ())) if sample is not None]
            for place, (index, sample) in enumerate(good):
                candidates.append((sample in seen, uses[content_id] + place, tie, Pick(content_id, subset, index)))
                seen.add(sample)
        chosen = [pick for *_, pick in sorted(candidates)[:count]]
        uses.update(pick.content_id for pick in chosen)
        picks += chosen
    return picks


def shuffled(picks: Iterable[Pick], seed: int) -> list[Pick]:
    """Returns the order of the rows, with subsets and videos mixed."""
    return sorted(picks, key=lambda p: digest("row", seed, p.content_id, p.subset, p.index))
