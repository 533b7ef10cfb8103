"""A run of verl's own trainer in a process of its own, with a log, its metrics, and the GPUs' memory beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from videossr_verl.cluster.gpu_memory import ask_nvidia_smi
from videossr_verl.run.metrics_file import read_records

_ENDING_SECONDS = 60


@dataclass
class Training:
    """A run.

    Attributes:
        gpu_peak: the most bytes in use on one GPU, whoever has them; 0 without a GPU.
        ended: stops looking at the GPUs.
    """

    process: subprocess.Popen[bytes]
    log: Path
    metrics: Path
    gpu_peak: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def steps(self) -> dict[int, dict[str, Any]]:
        """Returns the steps that are done, with verl's metrics."""
        found: dict[int, dict[str, Any]] = {}
        for record in read_records(self.metrics)[0]:
            found.setdefault(record["step"], {}).update(record["data"])
        return {step: values for step, values in found.items() if "timing_s/step" in values}

    def wait_for(self, step: int, seconds: float) -> bool:
        """Waits until a step is done. Returns False if the run ends before, or takes longer than `seconds`."""
        until = time.monotonic() + seconds
        while step not in self.steps():
            if self.process.poll() is not None or time.monotonic() > until:
                return step in self.steps()
            time.sleep(0.5)
        return True

    def wait_for_end(self, seconds: float) -> int | None:
        """Returns the exit code, or None if the run goes on after `seconds`."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def named(self, *names: str) -> list[psutil.Process]:
        """Returns the living processes of this run whose names hold one of `names`."""
        return [process for process in _descendants(self.process.pid) if any(n in _name(process) for n in names)]

    def watch_memory(self) -> None:
        """Looks at the GPUs once a second, until the run has ended."""
        while not self.ended.wait(1):
            used = [int(mib) * 2**20 for (mib,) in ask_nvidia_smi("memory.used") if mib.isdigit()]
            self.gpu_peak = max(self.gpu_peak, *used, 0)


@contextmanager
def training(out: Path, name: str, config: str, overrides: Sequence[str]) -> Iterator[Training]:
    """Starts a run that writes `out`/NAME.log and `out`/NAME.jsonl. On the way out all of its processes end."""
    log, metrics = out / f"{name}.log", out / f"{name}.jsonl"
    command = [sys.executable, "-m", "verl.trainer.main_ppo", "--config-name", config, *overrides]
    variables = os.environ | {"VERL_FILE_LOGGER_PATH": str(metrics)}
    variables.pop("RAY_ADDRESS", None)  # it tries this machine, not a cluster
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=out, env=variables, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )
        run = Training(process, log, metrics)
        watch = threading.Thread(target=run.watch_memory, daemon=True)
        watch.start()
        try:
            yield run
        finally:
            _end(process)
            run.ended.set()
            watch.join()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks a run to end, and kills what has not ended in time."""
    left = _descendants(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(left, timeout=_ENDING_SECONDS)
    for one in alive:
        one.kill()
    process.wait()


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _name(process: psutil.Process) -> str:
    """Returns what a process calls itself: Ray's and vLLM's write it over their command line."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
