"""Finds lists in plain text: maximal runs of items, such as numbers or letters, joined by links."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from reward_fns.rejection import is_rejected
from reward_fns.vocabulary import DOUBT_LINKS

_LONGEST_GAP = 60
_FRAME_NUMBER = re.compile(r"\bframes?\s*$", re.IGNORECASE)


@dataclass
class Run:
    """A run of neighbouring items.

    Attributes:
        items: their matches.
        links: what joins them, one fewer.
        doubtful: it is one of several guesses ("3,1,4 or 5") or rejected ("not 3,1,4").
    """

    items: list[re.Match[str]]
    links: list[str] = field(default_factory=list)
    doubtful: bool = False


def item_runs(
    text: str, item: re.Pattern[str], links: Collection[str], fillers: Collection[str] = frozenset()
) -> Iterator[Run]:
    """Yields the runs of items in `text` in which each gap between neighbours is a link.

    Runs of numbers that begin with a minus sign ("-3,1,4") or that are frame numbers ("frames 3, 5, 7") are left out.

    Args:
        item: pattern of one item; must match in linear time over the whole text.
        links: allowed gaps in lower case with single spaces and none outside. "" allows spaces, but no line break.
        fillers: words and signs in a gap that do not count.
    """
    run: Run | None = None
    for match in item.finditer(text):
        gap = _gap(text[run.items[-1].end() : match.start()], links, fillers) if run else None
        if run and gap is not None and gap in links:
            run.items.append(match)
            run.links.append(gap)
            continue
        doubtful = gap in DOUBT_LINKS
        if run:
            run.doubtful |= doubtful
            yield from _checked(run, text)
        run = Run([match], doubtful=doubtful)
    if run:
        yield from _checked(run, text)


def _gap(gap: str, links: Collection[str], fillers: Collection[str]) -> str | None:
    """Returns the text between two items, without fillers and superfluous spaces, or None if it is too long to be a
    link.
    """
    core = " ".join(gap.lower().split())
    if core not in links:
        if len(core) > _LONGEST_GAP:
            return None
        core = " ".join(word for word in re.findall(r"[^\W\d_]+|\S", core) if word not in fillers)
    return None if core == "" and "\n" in gap else core


def _checked(run: Run, text: str) -> Iterator[Run]:
    start, end = run.items[0].start(), run.items[-1].end()
    before = text[max(0, start - 16) : start]
    if run.items[0][0][0].isdigit() and (before.endswith("-") or _FRAME_NUMBER.search(before)):
        return
    run.doubtful |= is_rejected(text, start, end)
    yield run
