"""Chooses which video lends frames to which: one of the same set that does not look like it."""

from __future__ import annotations

from collections.abc import Mapping

from videossr_verl.tasks.seeds import digest


def ranked_groups(look_alikes: Mapping[str, str], *ranked_for: object) -> list[list[str]]:
    """Orders look-alikes together, by a hash of `ranked_for` and of the content that stands for them."""
    groups: dict[str, list[str]] = {}
    for content_id in sorted(look_alikes):
        groups.setdefault(look_alikes[content_id], []).append(content_id)
    return [groups[first] for first in sorted(groups, key=lambda c: digest(*ranked_for, c))]


def partners(look_alikes: Mapping[str, str], seed: int) -> dict[str, str]:
    """Returns for each of these videos another one that does not look like it, or nothing if all look alike.

    Args:
        look_alikes: content id -> the one that stands for its look-alikes.
    """
    groups = ranked_groups(look_alikes, "rank", seed)
    if len(groups) < 2:
        return {}
    following = zip(groups, groups[1:] + groups[:1], strict=True)
    return {c: others[i % len(others)] for group, others in following for i, c in enumerate(group)}
