"""Reads the letter of a multiple-choice answer; the same for every benchmark, so that they can be compared."""

from __future__ import annotations

import re

_LETTERS = "ABCDEFGH"  # not I, which begins sentences
_ALONE = re.compile(rf"^[\s(\"'*<]*([{_LETTERS}])(?=[\s).:,\"'*>]|$)", re.IGNORECASE)
_NAMED = re.compile(rf"(?:answer|option|choice)(?:\s+is)?\s*[:=]?\s*[(\"'*]*([{_LETTERS}])\b", re.IGNORECASE)
_CAPITAL = re.compile(rf"(?<![\w'])([{_LETTERS}])(?=[).:,]|$)")


def letter(text: str) -> str | None:
    """The chosen option, upper case; None where no single letter is named.

    "B", "(b)", "B. a dog", "The answer is B" and "... so B." have one; "A man opens a door" has none, because its
    first word is an article and not an option: an article is followed by a word.
    """
    stripped = text.strip()
    if found := _ALONE.match(stripped):
        rest = stripped[found.end() :]
        if found.group(1).upper() != "A" or not re.match(r"\s+[a-z]", rest):
            return found.group(1).upper()
    named = {match.upper() for match in _NAMED.findall(stripped)} or set(_CAPITAL.findall(stripped))
    return named.pop() if len(named) == 1 else None


def yes_or_no(text: str) -> str | None:
    """ "yes" or "no", whichever stands first as a word."""
    found = re.search(r"\b(yes|no)\b", text, re.IGNORECASE)
    return found.group(1).lower() if found else None
