"""Words of a server or a library, fit to be shown: a server may repeat the key that it was sent, whole or in part."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

LONGEST = 300  # characters that are shown
READ = 2000  # characters that are looked at
PART = 4  # characters that a secret and a text have in common, so that they are hidden
MARK = "***"


def shown_words(text: str, secrets: Sequence[str] = ()) -> str:
    """One printable line of bounded length, in which each part of a secret of `PART` characters is hidden.

    Letters count as equal in either case, and `%41` as the letter that it stands for.
    """
    text = text[:READ]
    while (plain := unquote(text)) != text:
        text = plain
    line = " ".join(_without_parts(text, secrets).split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def without_secrets(text: str, secrets: Sequence[str]) -> str:
    """The text with each whole secret hidden that is long enough to be no word by chance; the rest as it was."""
    for secret in secrets:
        if len(secret) >= 2 * PART:
            text = text.replace(secret, MARK)
    return text


def _without_parts(text: str, secrets: Sequence[str]) -> str:
    lower = text.lower()
    hidden = [False] * len(lower)
    for secret in map(str.lower, secrets):
        size = min(PART, len(secret))
        parts = {secret[i : i + size] for i in range(len(secret) - size + 1)}
        for start in range(len(lower) - size + 1):
            if lower[start : start + size] in parts:
                hidden[start : start + size] = [True] * size
    if len(lower) != len(text):  # a few letters of other scripts become two
        text = lower
    pieces = []
    for position, character in enumerate(text):
        if not hidden[position]:
            pieces.append(character)
        elif not position or not hidden[position - 1]:
            pieces.append(MARK)
    return "".join(pieces)
