"""The nodes of the Ray cluster that this process is connected to, and functions that run on a node of choice."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

KNOCK_SECONDS = 5.0


class NodeLeftError(RuntimeError):
    """The error for a node that left before it had done its work."""


def knock(address: str) -> None:
    """Raises OSError where nobody answers at `address`: ray.init itself waits for minutes, then ends the process."""
    host, _, port = address.rpartition(":")
    if port.isdigit():  # others are "auto" and "local"
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()


def alive_nodes() -> list[dict[str, Any]]:
    """Returns Ray's descriptions of the nodes that are alive."""
    return [node for node in ray.nodes() if node["Alive"]]


def on_node(node: dict[str, Any], function: Callable[..., Any], *arguments: Any) -> ray.ObjectRef:
    """Starts `function(*arguments)` on `node`, beside whatever runs there; never on another one."""
    here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    # Ray's stubs know of placement groups only.
    task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=here)  # pyright: ignore[reportArgumentType]
    return task(function).remote(*arguments)


def on_each_node(function: Callable[..., None], *arguments: Any) -> None:
    """Runs the function on one node after the other. Raises NodeLeftError if a node leaves meanwhile, or the function's
    own error.
    """
    for node in alive_nodes():
        try:
            ray.get(on_node(node, function, *arguments))
        except RayTaskError:
            raise
        except RayError as error:
            raise NodeLeftError(f"node {node['NodeManagerAddress']} left the cluster") from error
