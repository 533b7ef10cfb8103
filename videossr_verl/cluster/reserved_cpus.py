"""The CPUs that verl reserves. Ray waits without end, and without a word, where a cluster has too few.

They are a reservation only: how many processes run, and how busy they are, is another matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from videossr_verl.errors import BadInput

A_GPU = 3  # max_colocate_count of verl's ResourcePoolManager
OTHERS = 2  # TransferQueue's controller, and one that any other actor finds free when it starts
STORAGE_UNITS = "transfer_queue.backend.SimpleStorage.num_data_storage_units"


@dataclass(frozen=True)
class ReservedCpus:
    """What a run reserves: on each node `A_GPU` for each of its GPUs, and one for each storage unit on any node.

    Attributes:
        gpus: GPUs of each node.
        storage_units: of TransferQueue.
    """

    gpus: tuple[int, ...]
    storage_units: int

    @property
    def total(self) -> int:
        """CPUs of all nodes together."""
        return A_GPU * sum(self.gpus) + self.storage_units + OTHERS

    @property
    def of_a_node(self) -> int:
        """The CPUs that each node must have if all have the same."""
        spread = -(-(self.storage_units + OTHERS) // len(self.gpus))
        return max(A_GPU * max(self.gpus) + spread, -(-self.total // len(self.gpus)))

    def __str__(self) -> str:
        return f"{A_GPU} for each of {sum(self.gpus)} GPUs, {self.storage_units} for storage units, {OTHERS} more"


def reserved_cpus(config: Any) -> ReservedCpus:
    """Returns what a run of this config reserves. With separate_async the nodes that only answer count too."""
    gpus = [config.trainer.n_gpus_per_node] * config.trainer.nnodes
    if config.trainer.v1.trainer_mode == "separate_async":
        rollout = config.actor_rollout_ref.rollout
        gpus += [rollout.n_gpus_per_node] * rollout.nnodes
    return ReservedCpus(tuple(gpus), config.transfer_queue.backend.SimpleStorage.num_data_storage_units)


def check_cpus(wanted: ReservedCpus, nodes: Sequence[Mapping[str, float]]) -> None:
    """Checks a Ray cluster.

    Args:
        nodes: resources of each node that is alive, as Ray tells them.
    Raises:
        BadInput: it can never hold the run.
    """
    there = sorted((node.get("CPU", 0.0) for node in nodes), reverse=True)
    total = sum(there)
    crowded = any(A_GPU * gpus > cpus for gpus, cpus in zip(sorted(wanted.gpus, reverse=True), there, strict=False))
    if total >= wanted.total and not crowded:
        return
    spare = int(total) - wanted.total + wanted.storage_units
    remedy = "give its nodes more CPUs"
    if not crowded and spare >= 1:
        remedy += f", or set {STORAGE_UNITS}={spare}"
    raise BadInput(
        f"the run would wait for ever: it reserves {wanted.total} CPUs ({wanted}), and Ray has {total:g} on "
        f"{len(there)} nodes: {remedy}"
    )
