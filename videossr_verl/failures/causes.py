"""What went wrong, in one line, whichever process it happened in."""

from __future__ import annotations

from ray.exceptions import RayError, RayTaskError, UnserializableException

LONGEST = 500  # characters


def cause(error: BaseException) -> str:
    """Type and message of an error; of one that Ray brings from another process those of the original."""
    if isinstance(error, RayTaskError) and not isinstance(error.cause, RayError | None):
        return cause(error.cause)
    if isinstance(error, RayTaskError | UnserializableException):  # all that is left is the traceback's text
        return str(error).strip().splitlines()[-1].strip()[:LONGEST]
    return f"{type(error).__name__}: {' '.join(str(error).split())[:LONGEST]}"
