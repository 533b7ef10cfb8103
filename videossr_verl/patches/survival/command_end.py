"""How the training command begins and ends: it joins no stranger's cluster, nor one with too few CPUs, and ends with
one sentence and a code.

The codes are those of `videossr_verl.endings`. verl 0.9.1 ends with 1 and a traceback, whatever has happened. Too many
lost videos count as wrong input.
"""

from __future__ import annotations

import functools
import inspect
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from omegaconf import DictConfig
from ray.exceptions import RayActorError, RayError

from videossr_verl.cluster.local_ray import check_cluster
from videossr_verl.cluster.nodes import alive_nodes
from videossr_verl.cluster.reserved_cpus import check_cpus, reserved_cpus
from videossr_verl.endings import end_well
from videossr_verl.errors import BadInput, MachineError, machine_failure
from videossr_verl.patches.hooks import replace_function
from videossr_verl.patches.survival.causes import cause, original
from videossr_verl.patches.survival.dead_workers import DeadWorkerError
from videossr_verl.patches.survival.lost_groups import TooManyLostGroupsError
from videossr_verl.patches.survival.reward_errors import RewardError
from videossr_verl.patches.survival.shared_memory import remove_abandoned

COMMAND = ("verl", "trainer", "main_ppo.py")


def wrap_hydra_main(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Changes the one command, among all that Hydra runs."""

    def main(*args: Any, **kwargs: Any) -> Callable[..., Any]:
        decorate = stock(*args, **kwargs)
        return lambda task: decorate(_wrap_command(task) if Path(inspect.getfile(task)).parts[-3:] == COMMAND else task)

    return main


def _wrap_command(stock: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    @functools.wraps(stock)
    def main(config: DictConfig) -> None:
        replace_function(ray, "init", functools.partial(_wrap_init, config))
        code = end_well(lambda: _run(stock, config), config.trainer.default_local_dir)
        ray.shutdown()
        remove_abandoned()
        if code:
            sys.exit(code)

    return main


def _run(stock: Callable[[DictConfig], None], config: DictConfig) -> None:
    """Runs verl's command; errors that say all in one sentence come out of their processes as they were raised."""
    try:
        stock(config)
    except RayError as error:
        first = original(error)
        if isinstance(first, BadInput | MachineError) or (isinstance(first, OSError) and machine_failure(first)):
            raise first from None
        traceback.print_exception(error)
        if isinstance(first, TooManyLostGroupsError):
            raise BadInput(str(first)) from error
        if isinstance(first, DeadWorkerError | RewardError):
            raise MachineError(str(first)) from error
        if isinstance(first, RayActorError):
            message = f"a process of the run died ({cause(first)})"
            raise MachineError(f"{message}; the same command goes on from the last whole checkpoint") from error
        raise


def _wrap_init(config: DictConfig, stock: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(stock)
    def init(address: str | None = None, **kwargs: Any) -> Any:
        address = check_cluster(address)
        if address != "local":
            own = [
                f"ray_kwargs.ray_init.{name}=null" for name in ("num_cpus", "num_gpus") if kwargs.get(name) is not None
            ]
            if own:
                raise BadInput(
                    f"the Ray cluster at {address} has its own CPUs and GPUs: add {' '.join(own)}, or unset RAY_ADDRESS"
                )
            print(f"joining the Ray cluster at {address}", file=sys.stderr)
        before = signal.getsignal(signal.SIGTERM)
        context = stock(address, **kwargs)
        signal.signal(signal.SIGTERM, before)  # Ray's own ends with another code
        check_cpus(reserved_cpus(config), [node["Resources"] for node in alive_nodes()])
        return context

    return init
