"""Runs the same jobs as Ray tasks, for a build over many nodes that see the videos under the same paths."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from data_preprocess.jobs import Job, Result
from data_preprocess.run_local import outcome, run_isolated
from data_preprocess.verdicts import Trial, Troubles
from videossr_verl.errors import BadInput, MachineError
from videossr_verl.video.probe_record import Failure

POLL_SECONDS = 5.0


def run_on_ray(
    address: str, function: Callable[..., Result], jobs: Iterable[Job], timeout: float, use_gpus: bool = False
) -> Iterator[tuple[Job, Result | Failure]]:
    """Yields (job, function(*job)) or (job, Failure) as they end. Each job takes one CPU, and as many run at once as
    the cluster has.

    Args:
        address: of the cluster, e.g. "auto" or "host:6379"; "local" starts one on this machine.
        timeout: seconds for one job, counted from when it is handed to Ray.
        use_gpus: the jobs share the cluster's GPUs, if it has any; else Ray hides them.

    Raises:
        BadInput, MachineError: as `run_isolated`.
    """
    import ray

    _connect(address)
    gpus = _gpu_share(ray.cluster_resources()) if use_gpus else 0
    as_task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)
    first, again = as_task(outcome), as_task(_outcome_of_a_process)
    queue, retries, troubles, pending = map(Trial, jobs), [], Troubles(), {}

    def ended(trial: Trial, result: Any) -> bool:
        try:
            if trial.ends_with(result):
                return True
            retries.append(trial)
        except MachineError as error:
            troubles.add(error)
        return False

    try:
        while True:
            slots = max(1, int(ray.cluster_resources().get("CPU", 1)))
            while len(pending) < slots and (trial := retries.pop() if retries else next(queue, None)) is not None:
                # Ray does not tell how a worker died; a process of its own does.
                tried = trial.failures or trial.machine_errors
                task = again.remote(function, trial.job, timeout) if tried else first.remote(function, trial.job)
                pending[task] = (trial, time.monotonic() + timeout)
            if not pending:
                return troubles.tell()
            done, _ = ray.wait(list(pending), num_returns=1, timeout=POLL_SECONDS)
            for task in done:
                trial, result = pending.pop(task)[0], _result(task)
                if ended(trial, result):
                    yield trial.job, result
            for task in [t for t, (_, deadline) in pending.items() if deadline < time.monotonic()]:
                ray.cancel(task, force=True)
                trial, result = pending.pop(task)[0], Failure("timeout", f"not done after {timeout:.0f} s")
                if ended(trial, result):
                    yield trial.job, result
    finally:
        for task in pending:
            ray.cancel(task, force=True)


def _gpu_share(resources: Mapping[str, float]) -> float:
    """Returns the share of a GPU for each job if as many run as there are CPUs, so that none waits. Ray counts in
    1/10,000.
    """
    share = resources.get("GPU", 0) / max(1, resources.get("CPU", 1))
    return min(1.0, math.floor(share * 10_000) / 10_000)


def _connect(address: str) -> None:
    import ray

    if ray.is_initialized():
        return
    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise BadInput(f"no Ray cluster at '{address}': {str(error).splitlines()[0]}") from error


def _result(task: Any) -> Any:
    import ray
    from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError

    try:
        return ray.get(task)
    except (WorkerCrashedError, OutOfMemoryError, NodeDiedError) as error:
        return MachineError(str(error).splitlines()[0])


def _outcome_of_a_process(function: Callable[..., Any], job: tuple, timeout: float) -> Any:
    """Works as `outcome`, in a process below Ray's worker. The end of that process tells a crash of the decoder from
    other ends.
    """
    try:
        return next(result for _, result in run_isolated(function, [job], 1, timeout))
    except (BadInput, MachineError) as error:
        return error
