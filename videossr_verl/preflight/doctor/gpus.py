"""Checks the GPUs, their driver, and the CUDA and NCCL of torch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from videossr_verl.cluster.gpu_memory import ask_nvidia_smi, taken
from videossr_verl.preflight.doctor.findings import Finding, failure, ok, warning

GIB = 2**30
OLDEST_DRIVER = {12: 525, 13: 580}  # CUDA's major version -> the driver's (NVIDIA's CUDA compatibility guide)
WITHOUT = "on a machine without a GPU set VERL_PLATFORM=cpu"


def check_gpus() -> Iterator[Finding]:
    """Checks the GPUs: it is a failure if torch can use none, and a warning if they are unequal, or in use already."""
    import torch
    from torch.cuda import nccl

    if os.environ.get("VERL_PLATFORM") == "cpu":
        yield warning("GPU", "not used: VERL_PLATFORM=cpu", "unset it to train models of real size")
        return
    driver, cuda = _driver(), torch.version.cuda
    if not torch.cuda.is_available():
        yield _none(driver, cuda)
        return
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    memory = torch.cuda.get_device_properties(0).total_memory / GIB
    description = f"{len(names)} x {names[0]}, {memory:.0f} GiB; driver {driver or 'unknown'}"
    description += f"; torch's CUDA {cuda}, NCCL {'.'.join(map(str, nccl.version()))}"
    if _too_old(driver, cuda):
        description += ", by CUDA's compatibility libraries"
    if len(set(names)) > 1:
        yield warning("GPU", f"{description}; they differ", "give verl equal ones: the slowest sets the pace")
    else:
        yield ok("GPU", description)
    if used := taken():
        found = ", ".join(f"{size / GIB:.0f} GiB of GPU {index}" for index, size in used.items())
        yield warning("GPU memory", f"in use: {found}", "see `nvidia-smi` for whose it is, and end what is left over")


def _driver() -> str | None:
    """Returns the driver's version, as in "580.65.06", or None if nvidia-smi does not tell."""
    rows = ask_nvidia_smi("driver_version")  # all GPUs have the same
    version = re.match(r"\d+(\.\d+)+", rows[0][0]) if rows else None
    return version and version[0]


def _too_old(driver: str | None, cuda: str | None) -> bool:
    """Returns whether CUDA asks for a newer driver; data-centre GPUs can do with its compatibility libraries."""
    if driver is None or cuda is None:
        return False
    return int(driver.split(".")[0]) < OLDEST_DRIVER.get(int(cuda.split(".")[0]), 0)


def _none(driver: str | None, cuda: str | None) -> Finding:
    """Returns why torch, built for `cuda`, can use no GPU."""
    if cuda is None:
        found = f"this torch is built without CUDA; driver {driver or 'unknown'}"
        return failure("GPU", found, f"bash recipes/setup_gpu.sh; {WITHOUT}")
    if driver is None:
        found = f"torch (CUDA {cuda}) sees none, and nvidia-smi finds no driver"
        return failure("GPU", found, f"install the driver, or start the container with --gpus all; {WITHOUT}")
    if _too_old(driver, cuda):
        major = int(cuda.split(".")[0])
        found = f"driver {driver} is too old for torch's CUDA {cuda}"
        remedy = f"install driver {OLDEST_DRIVER[major]} or newer, or on data-centre GPUs the package cuda-compat-"
        remedy += f"{cuda.replace('.', '-')}, and put /usr/local/cuda-{cuda}/compat first into LD_LIBRARY_PATH"
        return failure("GPU", found, remedy)
    found = f"driver {driver} is there, but torch (CUDA {cuda}) cannot use it: {_reason()}"
    return failure("GPU", found, "unset CUDA_VISIBLE_DEVICES where Ray starts, and see `nvidia-smi` and `dmesg`")


def _reason() -> str:
    import torch

    try:
        torch.cuda.init()
    except Exception as error:
        return str(error).split("\n")[0]
    return "it shows no device"
