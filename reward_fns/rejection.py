"""Rejections: a text may name something only to reject it: "not 3,1,4", "B is wrong", "I would rule out A"."""

from __future__ import annotations

import re

_LONGEST = 40
_BEFORE = re.compile(
    r"(?:\bnot|n't|\bcannot|\bnever|\brather than|\binstead of|\bexcept|\bneither|\bnor|\bunlike"
    r"|\b(?:rul|eliminat|exclud|reject|dismiss)[a-z]*(?: out)?)"
    r"(?: (?:be|choose|pick|select|say))?(?: the)?(?: (?:option|choice|answer)s?)? $",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"(?:,? ?(?:is|are|was|were|seems?|looks?)(?: [a-z]+)?"
    r" (?:not|wrong|incorrect|false|impossible|unlikely|out|eliminated|excluded|rejected)"
    r"| (?:do|does|did|would|could|can) not| cannot| can be (?:ruled|eliminated|excluded)"
    r"| [a-z]+n't|[: ] ?wrong| not (?:right|correct|true))\b",
    re.IGNORECASE,
)


def is_rejected(text: str, start: int, end: int) -> bool:
    """Returns whether plain text rejects what stands in `text[start:end]`, by the words beside it."""
    return bool(_BEFORE.search(text[max(0, start - _LONGEST) : start]) or _BEHIND.match(text, end))
