"""Text from others (names of files, rows, answers, error messages) in a form that a terminal shows and never obeys."""

from __future__ import annotations

import re
import sys
from typing import TextIO

_COLOURS = re.compile(r"\x1b\[[\d;]*m")


def printable(text: str, keep: str = "") -> str:
    """Returns `text` with every character escaped that is no picture: a terminal's commands, line ends, half
    characters.

    Args:
        keep: characters that stay, "\\n" in a table.
    """
    shown = (c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
    return text if text.isprintable() else "".join(shown)


def without_colours(text: str) -> str:
    """Returns `text` without the codes that colour it in a terminal. Ray writes such codes into its workers' errors."""
    return _COLOURS.sub("", text)


def shortened(text: str, longest: int) -> str:
    """Returns `text`, without its middle if it is longer than `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest // 2]}...{text[-(longest // 2) :]}"


def tell(text: str, file: TextIO | None = None) -> None:
    """Prints lines to `file`, or to standard output. All but their ends is `printable`. This is how verbs print."""
    print(printable(text, keep="\n"), file=file or sys.stdout, flush=True)
