"""Checks whether a run would start its own Ray cluster here, which one it would join, and whether its sockets fit."""

from __future__ import annotations

import os
from collections.abc import Iterator

from videossr_verl.errors import BadInput
from videossr_verl.preflight.doctor.findings import Finding, failure, ok, warning


def check_ray() -> Iterator[Finding]:
    """Checks Ray. Where a cluster looks at its own nodes, only the sockets matter."""
    import ray

    from videossr_verl.cluster.local_ray import check_cluster, clusters_here, too_long_for_sockets

    if message := too_long_for_sockets():
        found, _, remedy = message.partition(": ")
        yield failure("sockets", found, remedy)
    else:
        yield ok("sockets", "their paths are short enough")
    if ray.is_initialized():
        return
    address, others = os.environ.get("RAY_ADDRESS"), clusters_here()
    if address:
        try:
            check_cluster(None)
            yield warning("Ray", f"runs join the cluster at RAY_ADDRESS={address}", "unset it for one of their own")
        except BadInput as error:
            found, _, remedy = str(error).rpartition(": ")
            yield failure("Ray", found, remedy)
    elif others:
        found = f"runs here already, at {', '.join(sorted(others))}: a run starts its own beside it"
        yield warning("Ray", found, "stop it with `ray stop`, or set RAY_ADDRESS to join it")
    else:
        yield ok("Ray", "a run starts its own")
