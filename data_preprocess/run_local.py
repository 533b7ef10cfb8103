"""Runs a function over jobs in worker processes. A job that crashes or hangs costs itself and nothing else.

A pool of the standard library breaks as a whole when one worker dies, and cannot stop a worker that hangs in
native code. Video decoders do both on bad files, so each worker has its own pipe here and can be replaced. The pool
of `pebble` survives both, but its workers share one locked pipe: one that is killed while it sends a result keeps the
lock, and the others wait for ever, with no time limit any more. There, a worker that ends with exit code 0 passes for
one that took too long, and a job that no worker can load is never answered.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from data_preprocess.jobs import Job, Result
from data_preprocess.verdicts import Trial, Troubles
from videossr_verl.errors import BadInput, MachineError
from videossr_verl.files.retry import retried
from videossr_verl.video.memory import memory_is_left
from videossr_verl.video.probe_record import Failure

START_SECONDS = 300.0  # a worker imports NumPy, OpenCV and the decoder first
# Signals by which a decoder ends its process on a bad file. All other ways to die come from outside: want of memory,
# somebody who ended the process, or a library that the machine cannot load.
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    trial: Trial
    deadline: float
    ready: bool = False


def run_isolated(
    function: Callable[..., Result], jobs: Iterable[Job], workers: int, timeout: float
) -> Iterator[tuple[Job, Result | Failure]]:
    """Yields (job, function(*job)) in the order of completion, or (job, Failure) where two tries agree on it.

    Args:
        function: importable (it is pickled), as are jobs and results; it never returns None, and may return a Failure.
        jobs: argument tuples, taken from the iterable only when a worker is free.
        workers: number of processes, >= 1.
        timeout: seconds for one job; then its worker is killed.
    Raises:
        BadInput: the function raised it: what is wrong concerns all jobs.
        MachineError: the machine failed at a job in each of its tries (the others are done first), or no worker starts.
    """
    context = multiprocessing.get_context("spawn")  # no inherited threads, locks or GPU contexts
    queue, again, troubles = map(Trial, jobs), [], Troubles()
    pool: list[_Worker] = []
    try:
        while True:
            while len(pool) < workers and (trial := again.pop() if again else next(queue, None)) is not None:
                pool.append(retried(_start, context, function, trial))
            if not pool:
                return troubles.tell()
            ready = wait([w.pipe for w in pool], timeout=max(0.0, min(w.deadline for w in pool) - time.monotonic()))
            for worker in [w for w in pool if w.pipe in ready or w.deadline <= time.monotonic()]:
                result, trial = _receive(worker, timed_out=worker.pipe not in ready, timeout=timeout), worker.trial
                if result is None:
                    continue  # the worker has started, and works now
                try:
                    if trial.ends_with(result):
                        yield trial.job, result
                    else:
                        again.append(trial)
                except MachineError as error:
                    troubles.add(error)
                # What the machine fails at may go better in a new process.
                fit = worker.process.exitcode is None and not isinstance(result, MachineError)
                following = (again.pop() if again else next(queue, None)) if fit else None
                if following is None:
                    pool.remove(worker)
                    _stop(worker)
                else:
                    _give(worker, following, timeout)
    finally:
        for worker in pool:
            _stop(worker)


def _start(context: Any, function: Callable[..., Any], trial: Trial) -> _Worker:
    """Starts and returns a process; it gets its job when it says that it is ready."""
    try:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, function), daemon=True)
        process.start()
    except (OSError, MemoryError) as error:
        raise MachineError(f"no worker process can be started: {error or type(error).__name__}") from error
    theirs.close()  # then the death of the worker shows as end of file
    return _Worker(process, ours, trial, time.monotonic() + START_SECONDS)


def _give(worker: _Worker, trial: Trial, timeout: float) -> None:
    worker.trial, worker.deadline = trial, time.monotonic() + timeout
    try:
        worker.pipe.send(trial.job)
    except BrokenPipeError:
        return  # the worker has died; `_receive` sees the end of file


def _receive(worker: _Worker, timed_out: bool, timeout: float) -> Any:
    if timed_out:
        worker.process.kill()
        worker.process.join()
        return Failure("timeout", f"not done after {timeout:.0f} s")
    try:
        message = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        if not worker.ready:
            raise MachineError(
                f"a worker process ended before it could start (exit code {worker.process.exitcode}); if a "
                "script of yours calls the build, put the call under: if __name__ == '__main__'"
            ) from None
        return _cause_of_death(worker.process.exitcode)
    except (OSError, MemoryError) as error:
        return MachineError(f"the result of a worker process cannot be read: {error or type(error).__name__}")
    if worker.ready:
        return message
    worker.ready = True
    _give(worker, worker.trial, timeout)
    return None


def _cause_of_death(exitcode: int | None) -> Failure | MachineError:
    if exitcode is None or exitcode >= 0:
        return MachineError(f"the worker process ended with exit code {exitcode}")
    cause = f"the worker process was ended by {signal.Signals(-exitcode).name}"
    # Libraries that find no memory crash as well.
    limited = any(
        resource.getrlimit(which)[0] != resource.RLIM_INFINITY for which in (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    )
    if -exitcode in CRASHES and not limited:
        return Failure("decoder_crashed", cause)
    return MachineError(cause)


def _stop(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.kill()
    worker.process.join()


def _work(pipe: Connection, function: Callable[..., Any]) -> None:
    """Runs jobs until there are no more. Ctrl-C is for the parent, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError):  # the parent is gone
        pipe.send("ready")
        while True:
            pipe.send(outcome(function, pipe.recv()))


def outcome(function: Callable[..., Any], job: tuple) -> Any:
    """Returns function(*job) on one core, or the Failure, BadInput or MachineError that its exception means."""
    try:
        import cv2

        cv2.setNumThreads(1)
        return function(*job)
    except (BadInput, MachineError) as error:
        return error
    except OSError as error:
        return MachineError(str(error))
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        out_of_memory = isinstance(error, MemoryError) and not memory_is_left()
        return MachineError(message) if out_of_memory else Failure("internal_error", message)
