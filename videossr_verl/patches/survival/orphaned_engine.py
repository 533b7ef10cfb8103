"""vLLM 0.28.0: an engine outlives a server that is killed, with all of its GPU memory.

Nobody ends it where Ray lives longer than the run (vllm-project/vllm#55510), and the next run does not find the memory
that it needs. vLLM's own workers end with their engine.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import threading


def end_with_server() -> None:
    """In an engine's process: ends it when the process that started it is gone. Elsewhere nothing."""
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None or not multiprocessing.current_process().name.startswith("EngineCore"):
        return
    try:
        server = os.pidfd_open(parent.pid)
    except ProcessLookupError:
        _kill()
    else:
        threading.Thread(target=_watch, args=(server,), name="server-watch", daemon=True).start()


def _watch(server: int) -> None:
    poll = select.poll()
    poll.register(server, select.POLLIN)
    poll.poll()
    _kill()


def _kill() -> None:
    """At once, whatever the engine is at: nobody takes its answers any more."""
    os.kill(os.getpid(), signal.SIGKILL)
