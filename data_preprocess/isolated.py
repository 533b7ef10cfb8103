"""Runs a function over jobs in worker processes; a job that crashes or hangs costs itself and nothing else.

A pool of the standard library breaks as a whole when one worker dies, and cannot stop a worker that hangs in
native code. Video decoders do both on bad files, so each worker has its own pipe here and can be replaced.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from videossr_verl.errors import BadInput, MachineError

START_SECONDS = 300.0  # a worker imports NumPy, OpenCV and the decoder first
CRASH_TRIES = 2  # a worker may also be killed from outside, e.g. for memory that another process wanted


@dataclass(frozen=True)
class Failure:
    """Why a job has no result: reason is "decoder_crashed", "timeout" or "internal_error"."""

    reason: str
    detail: str


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    job: tuple
    tries: int
    deadline: float
    ready: bool = False


def run_isolated(
    function: Callable[..., Any], jobs: Iterable[tuple], workers: int, timeout: float
) -> Iterator[tuple[tuple, Any]]:
    """Yields (job, function(*job)) in the order of completion, or (job, Failure).

    Args:
        function: importable (it is pickled), as are jobs and results; it never returns None.
        jobs: argument tuples, taken from the iterable only when a worker is free.
        workers: number of processes, >= 1.
        timeout: seconds for one job; then its worker is killed.
    Raises:
        BadInput: the function raised it: what is wrong concerns all jobs.
        MachineError: a worker process does not even start.
    """
    context = multiprocessing.get_context("spawn")  # no inherited threads, locks or GPU contexts
    queue, retry = iter(jobs), []
    pool: list[_Worker] = []
    try:
        while True:
            while len(pool) < workers and (job := retry.pop() if retry else _next(queue)) is not None:
                pool.append(_start(context, function, *job))
            if not pool:
                return
            ready = wait([w.pipe for w in pool], timeout=max(0.0, min(w.deadline for w in pool) - time.monotonic()))
            for worker in [w for w in pool if w.pipe in ready or w.deadline <= time.monotonic()]:
                result = _receive(worker, timed_out=worker.pipe not in ready, timeout=timeout)
                if result is None:
                    continue  # it has started and works now
                crashed = isinstance(result, Failure) and result.reason == "decoder_crashed"
                if crashed and worker.tries < CRASH_TRIES:
                    retry.append((worker.job, worker.tries))
                else:
                    yield worker.job, checked(result)
                following = None if worker.process.exitcode is not None else _next(queue)
                if following is None:
                    pool.remove(worker)
                    _stop(worker)
                else:
                    _give(worker, *following, timeout)
    finally:
        for worker in pool:
            _stop(worker)


def _next(queue: Iterator[tuple]) -> tuple[tuple, int] | None:
    job = next(queue, None)
    return None if job is None else (job, 0)


def _start(context: Any, function: Callable[..., Any], job: tuple, tries: int) -> _Worker:
    """A new process; it gets its job when it says that it is ready."""
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, function), daemon=True)
    process.start()
    theirs.close()  # so that the death of the worker shows as end of file
    return _Worker(process, ours, job, tries, time.monotonic() + START_SECONDS)


def _give(worker: _Worker, job: tuple, tries: int, timeout: float) -> None:
    worker.job, worker.tries, worker.deadline = job, tries + 1, time.monotonic() + timeout
    try:
        worker.pipe.send(job)
    except BrokenPipeError:
        return  # it has died; `_receive` sees the end of file


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
        return Failure("decoder_crashed", _cause_of_death(worker.process.exitcode))
    if worker.ready:
        return message
    worker.ready = True
    _give(worker, worker.job, worker.tries, timeout)
    return None


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"the worker process was ended by {signal.Signals(-exitcode).name}"
    return f"the worker process ended with exit code {exitcode}"


def _stop(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.kill()
    worker.process.join()


def _work(pipe: Connection, function: Callable[..., Any]) -> None:
    """Life of a worker. Ctrl-C is for the parent, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError):  # the parent is gone
        pipe.send("ready")
        while True:
            pipe.send(outcome(function, pipe.recv()))


def checked(result: Any) -> Any:
    """A result of `outcome`, unless it says that no other job can end well either."""
    if isinstance(result, BadInput):
        raise result
    return result


def outcome(function: Callable[..., Any], job: tuple) -> Any:
    """function(*job) on one core, or the Failure that its exception means; a BadInput is for `checked` to raise."""
    import cv2

    cv2.setNumThreads(1)
    try:
        return function(*job)
    except BadInput as error:
        return error
    except Exception as error:
        return Failure("internal_error", f"{type(error).__name__}: {error}")
