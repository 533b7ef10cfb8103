"""Tells what went wrong, in one line, whichever process it happened in."""

from __future__ import annotations

from ray.exceptions import RayError, RayTaskError, UnserializableException

from videossr_verl.printable import printable, without_colours

LONGEST = 500  # characters


def original(error: BaseException) -> BaseException:
    """Returns the error that another process raised, if Ray brings it, else the error itself."""
    while isinstance(error, RayTaskError):
        brought = error.cause
        if brought is None or (isinstance(brought, RayError) and not isinstance(brought, RayTaskError)):
            break  # only the traceback's text is left
        error = brought
    return error


def cause(error: BaseException) -> str:
    """Returns the type and message of an error. For one that Ray brings from another process, these are the
    original's.
    """
    error = original(error)
    if isinstance(error, RayTaskError | UnserializableException):
        text = str(error).strip().splitlines()[-1].strip()
    else:
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return printable(without_colours(text))[:LONGEST]
