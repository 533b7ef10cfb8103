"""The same jobs as Ray tasks, for a build over many nodes that see the videos under the same paths."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from data_preprocess.isolated import CRASH_TRIES, Failure, checked, outcome
from videossr_verl.errors import BadInput

POLL_SECONDS = 5.0


def run_on_ray(
    address: str, function: Callable[..., Any], jobs: Iterable[tuple], timeout: float, use_gpus: bool = False
) -> Iterator[tuple[tuple, Any]]:
    """Yields (job, function(*job)) or (job, Failure) as they end; one CPU a job, as many at once as the
    cluster has.

    Args:
        address: of the cluster, e.g. "auto" or "host:6379"; "local" starts one on this machine.
        timeout: seconds for one job, counted from when it is handed to Ray.
        use_gpus: the jobs share the cluster's GPUs, if it has any; else Ray hides them.
    """
    import ray

    _connect(address)
    gpus = _gpu_share(ray.cluster_resources()) if use_gpus else 0
    remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=CRASH_TRIES - 1)(outcome)
    queue, pending = iter(jobs), {}
    try:
        while True:
            slots = max(1, int(ray.cluster_resources().get("CPU", 1))) - len(pending)
            for job in islice(queue, max(0, slots)):
                pending[remote.remote(function, job)] = (job, time.monotonic() + timeout)
            if not pending:
                return
            done, _ = ray.wait(list(pending), num_returns=1, timeout=POLL_SECONDS)
            for task in done:
                yield pending.pop(task)[0], _result(task)
            for task in [t for t, (_, deadline) in pending.items() if deadline < time.monotonic()]:
                ray.cancel(task, force=True)
                yield pending.pop(task)[0], Failure("timeout", f"not done after {timeout:.0f} s")
    finally:
        for task in pending:
            ray.cancel(task, force=True)


def _gpu_share(resources: Mapping[str, float]) -> float:
    """GPUs for each of as many jobs as there are CPUs, so that none waits for a GPU; Ray counts in 1/10,000."""
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

    try:
        return checked(ray.get(task))
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
        return Failure("decoder_crashed", str(error).splitlines()[0])
