"""How a command ends: with one sentence on stderr and an exit code that tells what kind of end it was.

0 done, 1 the machine failed (a full disk, storage that is gone), 2 wrong input, 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from videossr_verl.errors import BadInput, MachineError, machine_failure

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Stopped(SystemExit):
    """A signal ends the command; what is open is closed on the way out, and its processes are ended."""


def end_well(run: Callable[[], int | None], place: object = None) -> int:
    """Runs a command and returns its exit code; what it ends with is told in one sentence.

    Args:
        place: where it writes, for errors of the system that name no file.
    """
    try:
        with stopped_by_signals():
            return run() or 0
    except BadInput as error:
        return _tell(error, 2)
    except MachineError as error:
        return _tell(error, 1)
    except OSError as error:
        told = machine_failure(error, place)
        if told is None:
            raise
        return _tell(told, 1)
    except Stopped as stop:
        name = signal.Signals(stop.code - 128).name
        return _tell(f"stopped by {name}; the same command goes on from here", stop.code)
    except KeyboardInterrupt:
        return _tell("interrupted; the same command goes on from here", 130)


def _tell(sentence: object, code: int) -> int:
    print(f"videossr: {sentence}", file=sys.stderr)
    return code


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP raise `Stopped` in here, once: a second one ends the process at once.

    A signal that somebody ignores (nohup) or handles stays as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, raise_stopped)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def raise_stopped(number: int, frame: FrameType | None) -> NoReturn:
    """A signal's handler."""
    signal.signal(number, signal.SIG_DFL)
    raise Stopped(128 + number)
