"""The nodes of the Ray cluster that this process is connected to, and functions that run on a node of choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


def alive_nodes() -> list[dict[str, Any]]:
    """Ray's descriptions of the nodes that are there."""
    return [node for node in ray.nodes() if node["Alive"]]


def on_node(node: dict[str, Any], function: Callable[..., Any], *arguments: Any) -> ray.ObjectRef:
    """Starts `function(*arguments)` on `node`, beside whatever runs there; never on another one."""
    here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    return ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=here)(function).remote(*arguments)
