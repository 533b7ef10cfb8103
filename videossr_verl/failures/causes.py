"""What went wrong, in one line, whichever process it happened in."""

from __future__ import annotations

from ray.exceptions import RayError, RayTaskError, UnserializableException

from videossr_verl.printable import printable, without_colours

LONGEST = 500  # characters


def cause(error: BaseException) -> str:
    """Type and message of an error; of one that Ray brings from another process those of the original."""
    original = getattr(error, "cause", None) if isinstance(error, RayTaskError) else None
    if isinstance(original, RayTaskError) or (original is not None and not isinstance(original, RayError)):
        return cause(original)
    if isinstance(error, RayTaskError | UnserializableException):  # all that is left is the traceback's text
        text = str(error).strip().splitlines()[-1].strip()
    else:
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return printable(without_colours(text))[:LONGEST]
