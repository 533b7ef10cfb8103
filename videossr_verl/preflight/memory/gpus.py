"""GPUs by name, and the memory that a program really gets on each."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

from videossr_verl.errors import BadInput

GIB = 2**30
# What torch shows as total, GiB: less than the name says, and a little less than nvidia-smi, which counts the driver's.
KNOWN = {
    "rtx4090": 23.5,
    "a100-40g": 39.4,
    "l40s": 44.4,
    "h100": 79.1,
    "a100-80g": 79.2,
    "h200": 139.7,
    "b200": 178.4,
}
DEFAULT = "h100"


@dataclass(frozen=True)
class Gpu:
    """A GPU and its memory in bytes."""

    name: str
    memory: int


def find_gpu(name: str) -> Gpu:
    """Returns the GPU called `name`, or one of `name` GiB if it is a number.

    Raises:
        BadInput: neither a known name nor a number of GiB above 0.
    """
    plain = name.lower().replace("h100-80g", "h100")
    if plain in KNOWN:
        return Gpu(plain, int(KNOWN[plain] * GIB))
    number = re.fullmatch(r"(\d{1,5}(?:\.\d+)?)(?:gib|gb|g)?", plain)
    if not number or not float(number[1]):
        raise BadInput(f"unknown GPU '{name}': give one of {', '.join(KNOWN)}, or its memory in GiB")
    return Gpu(f"{float(number[1]):g} GiB GPU", int(float(number[1]) * GIB))


def gpu_here() -> Gpu | None:
    """Returns this machine's first GPU that nvidia-smi shows, without what the driver keeps, or None where there is
    none.
    """
    if not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=name,memory.total,memory.reserved", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        name, total, reserved = output.splitlines()[0].rsplit(",", 2)
        return Gpu(name.strip(), (int(total) - int(reserved)) * 2**20)
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None
