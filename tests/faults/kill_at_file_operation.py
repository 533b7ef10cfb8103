"""Runs a function in a process that is killed right before its n-th file operation below a folder."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Python's audit events of whatever changes or opens files; between two of them no other change can be seen.
EVENTS = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.truncate", "os.link"})
NOT_AUDITED = "ctypes.dlopen"  # comes before a call that no event tells of


def run_and_kill(function: Callable[[], None], folder: Path, number: int) -> bool:
    """Whether it was killed; False where the function ended before (number 0: it is never killed).

    Raises:
        RuntimeError: it failed by itself.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sys.addaudithook(_counting(str(folder), number))
            function()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        raise RuntimeError(f"the function failed before operation {number}: see standard error")
    return False


def _counting(folder: str, number: int) -> Callable[[str, tuple[Any, ...]], None]:
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        below = event in EVENTS and any(isinstance(a, str | Path) and str(a).startswith(folder) for a in arguments[:2])
        if below or event == NOT_AUDITED:
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook
