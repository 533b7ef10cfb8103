"""Names of files as text. On Linux a name may be any bytes; a dataset holds UTF-8."""

from __future__ import annotations

import os


def is_utf8(name: str) -> bool:
    """Returns whether a name, as Python reads it from the system, is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def readable(name: str) -> str:
    r"""Returns the name in UTF-8, with other bytes written as `\xff`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
