"""The Ray cluster that a training joins or starts, and what is known of it before Ray is asked."""

from __future__ import annotations

import os
import tempfile

from ray._common.utils import get_default_ray_temp_dir

from videossr_verl.cluster.nodes import knock
from videossr_verl.errors import BadInput

SOCKET_BYTES = 107  # the longest socket path that the kernel takes
RAY_SOCKET = "session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store.0"
OTHER_SOCKET = (
    "12345678-1234-1234-1234-123456789abc"  # the name of vLLM's socket; those of Python's own managers are shorter
)


def check_cluster(address: str | None) -> str:
    """Returns the address to give to ray.init: `address`, else that of RAY_ADDRESS, else "local".

    Without one Ray would join any cluster that somebody has started on this machine.

    Raises:
        BadInput: nobody answers there, or a local cluster cannot be started here.
    """
    asked = address or os.environ.get("RAY_ADDRESS") or "local"
    if asked == "local":
        if message := too_long_for_sockets():
            raise BadInput(message)
    else:
        try:
            knock(asked.removeprefix("ray://"))
        except OSError as error:
            named = "ray_kwargs.ray_init.address" if address else "RAY_ADDRESS"
            raise BadInput(
                f"no Ray cluster answers at {named}='{asked}' ({error}): start it, or unset that, for one of its own"
            ) from error
    return asked


def too_long_for_sockets() -> str | None:
    """Names the variable that puts sockets where their paths are too long for the kernel, or returns None if all is
    well.
    """
    folders = {get_default_ray_temp_dir(): RAY_SOCKET, tempfile.gettempdir(): OTHER_SOCKET}
    for folder, socket in folders.items():
        excess = len(os.fsencode(os.path.join(folder, socket))) - SOCKET_BYTES
        if excess > 0:
            variable = "RAY_TMPDIR" if socket == RAY_SOCKET and "RAY_TMPDIR" in os.environ else "TMPDIR"
            value = os.environ.get(variable, folder)
            message = f"{variable}='{value}' is {excess} bytes too long for sockets below it"
            return f"{message}: set it to a shorter folder, such as /tmp"
    return None


def clusters_here() -> set[str]:
    """Returns the addresses of the Ray clusters that somebody has started on this machine."""
    from ray._private.services import find_gcs_addresses

    return set(find_gcs_addresses())
