"""A process of its own for what may hang: it is killed after a deadline, and the next call gets a new one."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

START = 120.0  # seconds to import what is called


class WatchedProcess:
    """Calls functions by name in one process after the other."""

    def __init__(self, prepare: Callable[[], Any], deadline: float) -> None:
        """
        Args:
            prepare: called in each new process: what is slow, as imports.
            deadline: seconds that a call may take.
        """
        self._prepare, self._deadline = prepare, deadline
        self._process, self._pipe = None, None

    def call(self, function: Callable[..., Any], *args: Any) -> tuple[str, Any]:
        """("returned", value), ("raised", the traceback's text), ("hung", None) or ("died", exit code)."""
        if self._process is None:
            self._start()
        self._pipe.send((function, args))
        if not self._pipe.poll(self._deadline):
            self.close()
            return "hung", None
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join(5)
            code = self._process.exitcode
            self.close()
            return "died", code

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = None

    def _start(self) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._prepare), daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(START) or self._pipe.recv() != "ready":
            raise RuntimeError("the process that is watched did not start")


def _serve(pipe: Connection, prepare: Callable[[], Any]) -> None:
    prepare()
    pipe.send("ready")
    while True:
        try:
            function, args = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("returned", function(*args)))
        except BaseException:
            pipe.send(("raised", traceback.format_exc()))
