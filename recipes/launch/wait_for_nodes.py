"""Waits until a Ray cluster has all its nodes, and nobody holds its CPUs, GPUs or their memory.

A killed trainer's actors go within seconds, but a new one that is faster would take its TransferQueue for its own.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

import ray

from videossr_verl.cluster.gpu_memory import taken
from videossr_verl.cluster.nodes import alive_nodes, knock, on_node

ANSWER_SECONDS = 30.0


def connect(address: str, deadline: float) -> None:
    """Connects. Raises ConnectionError if nobody answers before `deadline`."""
    while True:
        try:
            knock(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            return
        except OSError as error:  # ConnectionError is one
            if time.monotonic() > deadline:
                raise ConnectionError(f"no Ray cluster answers at '{address}': {error}") from error
        time.sleep(1)


def answering() -> dict[str, set[str]]:
    """Returns node id -> names, for nodes that run a task: Ray counts a dead node for up to half a minute."""
    tasks = {on_node(node, _nothing): node for node in alive_nodes()}
    ready, _ = ray.wait(list(tasks), num_returns=len(tasks), timeout=ANSWER_SECONDS)
    found = {}
    for task in ready:
        try:
            ray.get(task)
        except ray.exceptions.RayError:
            continue
        address, host = tasks[task]["NodeManagerAddress"], tasks[task]["NodeManagerHostname"]
        found[tasks[task]["NodeID"]] = {address, host, host if host[:1].isdigit() else host.partition(".")[0]}
    return found


def _nothing() -> None:
    """Does nothing; a node answers by running it."""


def leftovers() -> list[str]:
    """Returns what an earlier run still holds: named actors, CPUs, GPUs, and memory of GPUs, whoever has it."""
    actors = ray.util.list_named_actors(all_namespaces=True)
    left = [f"actor {a['name']}" for a in actors if not a["name"].startswith("_ray_internal")]
    total, free = ray.cluster_resources(), ray.available_resources()
    for kind in ("CPU", "GPU"):
        used = total.get(kind, 0) - free.get(kind, 0)
        left += [f"{used:g} {kind}s"] if used > 1e-3 else []
    tasks = {node["NodeManagerAddress"]: on_node(node, taken) for node in alive_nodes()}
    for address, task in tasks.items():
        try:
            used = ray.get(task, timeout=ANSWER_SECONDS)
        except ray.exceptions.RayError:
            left.append(f"{address}, which does not answer")
            continue
        left += [f"{size / 2**30:.0f} GiB of GPU {index} on {address}" for index, size in used.items()]
    return left


def main() -> int:
    """Runs the command line. Ends with one sentence and exit code 75 (try again later) if the cluster does not become
    ready.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nodes", type=int, help="number of nodes")
    parser.add_argument("seconds", type=float, help="how long to wait")
    parser.add_argument("hosts", nargs="*", help="the nodes' host names or addresses, to name the missing ones")
    args = parser.parse_args()
    deadline = time.monotonic() + args.seconds
    said = None
    try:
        connect(os.environ.get("RAY_ADDRESS", "auto"), deadline)
        while True:
            there = answering()
            left = leftovers() if len(there) >= args.nodes else []
            if len(there) >= args.nodes and not left:
                print(f"launch: {len(there)} of {args.nodes} nodes are there", flush=True)
                return 0
            names = set().union(*there.values())
            missing = [host for host in args.hosts if host not in names and host.partition(".")[0] not in names]
            state = f"{len(there)} of {args.nodes} nodes are there"
            # Names that Ray does not know by would all be "missing".
            state += f", missing: {' '.join(missing)}" if missing and len(missing) + len(there) == args.nodes else ""
            state += f"; an earlier run or somebody else still holds {', '.join(left)}" if left else ""
            if time.monotonic() > deadline:
                remedy = "stop it or start the cluster anew" if left else "see Ray's log on the missing ones"
                raise TimeoutError(f"{state} after {args.seconds:g} s: {remedy}")
            if state != said:
                print(f"launch: {state}; waiting", flush=True)
                said = state
            time.sleep(1)
    except (ConnectionError, TimeoutError) as error:
        print(f"launch: {error}", file=sys.stderr)
        return os.EX_TEMPFAIL


if __name__ == "__main__":
    sys.exit(main())
