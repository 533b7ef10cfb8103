"""The checks of one machine on every node of a Ray cluster, and what can only be seen by comparing nodes."""

from __future__ import annotations

import time

from videossr_verl.doctor.checks import Asked, check_machine
from videossr_verl.doctor.findings import Finding, failure, ok, warning
from videossr_verl.errors import BadInput

CLOCK_SECONDS = 2.0  # of difference that logs and lock files still bear
WAIT_SECONDS = 120.0


def check_cluster(address: str, asked: Asked) -> dict[str, list[Finding]]:
    """Node -> findings. BadInput where there is no cluster at `address`."""
    import ray

    from videossr_verl.cluster_nodes import alive_nodes, knock, on_node

    if not ray.is_initialized():
        try:
            knock(address)
            ray.init(address=address, log_to_driver=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise BadInput(f"no Ray cluster at '{address}': {str(error).splitlines()[0]}") from error
    tasks = {}
    for node in alive_nodes():
        name = f"{node['NodeManagerAddress']}/{node['NodeID'][:6]}"
        tasks[name] = on_node(node, _on_node, asked), time.time()
    found = {}
    for name, (task, started) in tasks.items():
        try:
            findings, clock = ray.get(task, timeout=WAIT_SECONDS)
            found[name] = [*findings, _clock(clock, started, time.time())]
        except (ray.exceptions.RayError, TimeoutError) as error:
            told = f"no answer: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
            found[name] = [failure("node", told, "see Ray's logs on it; is this package installed there?")]
    return found


def _on_node(asked: Asked) -> tuple[list[Finding], float]:
    return check_machine(asked), time.time()


def _clock(there: float, before: float, after: float) -> Finding:
    """The node's clock was read between `before` and `after` of ours."""
    apart = max(before - there, there - after, 0.0)
    if apart > CLOCK_SECONDS:
        return warning("clock", f"{apart:.0f} s apart from the head's", "run chrony or ntpd on every node")
    return ok("clock", "agrees with the head's")
