"""Makes words of a server or a library fit to be shown: a server may repeat the key that it was sent, whole or in
part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from itertools import groupby
from operator import itemgetter
from urllib.parse import unquote

LONGEST = 300  # characters that are shown
READ = 2000  # characters that are looked at
PART = 4  # a part of a secret is hidden from so many characters on
MARK = "***"


def shown_words(text: str, secrets: Sequence[str] = ()) -> str:
    """Returns one printable line of bounded length, which hides each part of a secret of `PART` characters.

    Hides a shorter secret only if it stands as a word. Letters are equal in either case, and `%41` or `&#65;` counts
    as the letter that it stands for.
    """
    text = text[:READ]
    while (plain := unescape(unquote(text))) != text:
        text = plain
    line = " ".join(_without_parts(text, secrets).split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def without_secrets(text: str, secrets: Sequence[str]) -> str:
    """Returns the text without the secrets that are long enough to be no word by chance, each hidden as a whole."""
    for secret in secrets:
        if len(secret) >= 2 * PART:
            text = text.replace(secret, MARK)
    return text


def _without_parts(text: str, secrets: Sequence[str]) -> str:
    lower = text.lower()
    if len(lower) != len(text):  # a few letters of other scripts become two in lower case
        text = lower
    hidden = [False] * len(text)
    for secret in map(str.lower, secrets):
        parts = {secret[i : i + PART] for i in range(len(secret) - PART + 1)}
        places = [i for i in range(len(text)) if lower[i : i + PART] in parts]
        if len(secret) < PART:
            places = [found.start() for found in re.finditer(rf"(?<!\w){re.escape(secret)}(?!\w)", lower)]
        for start in places:
            size = min(PART, len(secret))
            hidden[start : start + size] = [True] * size
    runs = groupby(zip(text, hidden, strict=True), key=itemgetter(1))
    return "".join(MARK if secret else "".join(character for character, _ in run) for secret, run in runs)
