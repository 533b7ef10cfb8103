"""What went wrong, in one line, whichever process it happened in."""

from __future__ import annotations

from ray.exceptions import RayError, RayTaskError, UnserializableException

from videossr_verl.printable import printable, without_colours

LONGEST = 500  # characters


def original(error: BaseException) -> BaseException:
    """What another process raised, where Ray brings it; else the error itself."""
    while isinstance(error, RayTaskError):
        brought = error.cause
        if brought is None or (isinstance(brought, RayError) and not isinstance(brought, RayTaskError)):
            break  # all that is left is the traceback's text
        error = brought
    return error


def cause(error: BaseException) -> str:
    """Type and message of an error; of one that Ray brings from another process those of the original."""
    error = original(error)
    if isinstance(error, RayTaskError | UnserializableException):
        text = str(error).strip().splitlines()[-1].strip()
    else:
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return printable(without_colours(text))[:LONGEST]
