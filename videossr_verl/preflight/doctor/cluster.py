"""Runs the checks of one machine on every node of a Ray cluster, and checks what can only be seen by comparing
nodes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from videossr_verl.errors import BadInput
from videossr_verl.preflight.doctor.checks import Asked, check_machine
from videossr_verl.preflight.doctor.clock import Reading, clock_finding
from videossr_verl.preflight.doctor.findings import Finding, failure

if TYPE_CHECKING:
    import ray

WAIT_SECONDS = 300.0  # for an answer: the first import of verl from a shared disk is slow
CLOCK_READINGS = 3


def check_cluster(address: str, asked: Asked) -> dict[str, list[Finding]]:
    """Returns node -> findings. Raises BadInput if there is no cluster at `address`."""
    import ray

    from videossr_verl.cluster.nodes import alive_nodes, knock, on_node

    if not ray.is_initialized():
        try:
            knock(address)
            ray.init(address=address, log_to_driver=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise BadInput(f"no Ray cluster at '{address}': {str(error).splitlines()[0]}") from error
    nodes = {f"{node['NodeManagerAddress']}/{node['NodeID'][:6]}": node for node in alive_nodes()}
    tasks = {name: on_node(node, check_machine, asked) for name, node in nodes.items()}
    return {name: _answer(nodes[name], task) for name, task in tasks.items()}


def _answer(node: dict[str, Any], task: ray.ObjectRef) -> list[Finding]:
    """Returns what `check_machine` found on the node and the node's clock, or why the node says nothing."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        findings = ray.get(task, timeout=WAIT_SECONDS)
        # Now that a process for tasks runs there, a reading takes milliseconds.
        readings = [_read_clock(node) for _ in range(CLOCK_READINGS)]
    except RayTaskError as error:  # no check raises, so Ray could not load the task
        message = f"cannot run this package: {str(error).strip().splitlines()[-1]}"
        remedy = "start Ray there in the environment of recipes/setup_cpu.sh or setup_gpu.sh, which has it"
        return [failure("node", message, remedy)]
    except (RayError, TimeoutError) as error:
        message = f"no answer: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
        return [failure("node", message, "see Ray's logs on it")]
    return [*findings, clock_finding(readings)]


def _read_clock(node: dict[str, Any]) -> Reading:
    import ray

    from videossr_verl.cluster.nodes import on_node

    sent = time.time()
    there = ray.get(on_node(node, _now), timeout=WAIT_SECONDS)
    return Reading(sent, there, time.time())


def _now() -> float:
    return time.time()
