"""Tries again what the machine failed at: errors of a disk, of a network or for want of memory often pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from videossr_verl.errors import MachineError

PAUSES = (0.2, 1.0)  # seconds before the second try, and before the third

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def retried(function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
    """Returns function(*args, **kwargs), and tries again after each of PAUSES while it raises MachineError."""
    for pause in PAUSES:
        try:
            return function(*args, **kwargs)
        except MachineError:
            time.sleep(pause)
    return function(*args, **kwargs)
