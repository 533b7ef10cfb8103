"""verl 0.9.1 lets each rollout server listen on its node's address, without a key, for whoever can reach the node.

The run itself asks its servers through Ray. On one node, everything that may ask by HTTP (reward models, a router,
Prometheus) is on that node too, so the server listens on the loopback device, and is known by that address. With
several nodes the server stays reachable for the other nodes: keep them in a network of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LOOPBACK = "127.0.0.1"


def wrap_run_server(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the server of a run on one node listen for that node alone."""

    async def run_server(self: Any, args: Any) -> None:
        from videossr_verl.cluster.nodes import alive_nodes

        if len(alive_nodes()) == 1:
            self._server_address = LOOPBACK
        await stock(self, args)

    return run_server
