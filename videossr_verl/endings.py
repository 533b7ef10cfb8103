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

from reward_fns.registry import RegistryError
from videossr_verl.errors import BadInput, MachineError, machine_failure
from videossr_verl.printable import printable, tell

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def end_well(run: Callable[[], int | None], place: object = None) -> int:
    """Runs a command and returns its exit code. Tells in one sentence why it ended.

    Args:
        place: where it writes, for errors of the system that name no file.
    """
    try:
        with stopped_by_signals() as received:
            return run() or 0
    except (BadInput, RegistryError) as error:
        return _tell(error, 2)
    except MachineError as error:
        return _tell(error, 1)
    except OSError as error:
        message = machine_failure(error, place)
        if message is None:
            raise
        return _tell(message, 1)
    except MemoryError:
        return _tell("this machine has no memory left; the same command goes on from here", 1)
    except SystemExit:  # it may carry another code if it came through Ray
        if not received:
            raise
        return _tell(f"stopped by {received[0].name}; the same command goes on from here", 128 + received[0])
    except KeyboardInterrupt:
        return _tell("interrupted; the same command goes on from here", 130)


def _tell(sentence: object, code: int) -> int:
    tell(printable(f"videossr: {sentence}"), sys.stderr)
    return code


@contextmanager
def stopped_by_signals() -> Iterator[list[signal.Signals]]:
    """Makes SIGTERM and SIGHUP raise SystemExit in the body, once. Yields the list into which they are put.

    On the way out files are closed and processes are ended; a second signal ends this process at once. A signal that is
    ignored (nohup) or handled already stays as it is.
    """
    received: list[signal.Signals] = []

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        received.append(signal.Signals(number))
        raise SystemExit(128 + number)

    main = threading.current_thread() is threading.main_thread()
    ours = [number for number in SIGNALS if main and signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield received
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
