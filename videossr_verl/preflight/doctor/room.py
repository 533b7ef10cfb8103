"""Checks how much memory, disk, CPUs and open files a run would find."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from videossr_verl.cluster.reserved_cpus import A_GPU, OTHERS
from videossr_verl.preflight.doctor.findings import Finding, failure, ok, warning
from videossr_verl.preflight.doctor.free_memory import free_memory

GIB = 2**30
ENOUGH_RAM, ENOUGH_SHM, ENOUGH_DISK = 32 * GIB, 8 * GIB, 50 * GIB
ENOUGH_FILES = 65_536  # what Ray asks for
ENOUGH_RUN = 250 * GIB  # two checkpoints of a model of 8B parameters with its optimizer


def check_room(run: str | None) -> Iterator[Finding]:
    """Checks free memory, CPUs, open files, and the disks of temporary files and, unless it is None, of the run `run`'s
    checkpoints.
    """
    remedy = "rollouts keep a step's frames in memory: take a larger machine, or raise the container's limit"
    yield _room("free RAM", free_memory(), ENOUGH_RAM, remedy)
    shm = Path("/dev/shm")
    if shm.is_dir():
        remedy = "start the container with --shm-size, or mount a larger /dev/shm"
        yield _room("/dev/shm", shutil.disk_usage(shm).free, ENOUGH_SHM, remedy)
    else:
        yield failure("/dev/shm", "is not there", "Ray and NCCL need it: mount one")
    disks = {tempfile.gettempdir(): (ENOUGH_DISK, "free some, or set TMPDIR elsewhere")}
    if spill := os.environ.get("RAY_TMPDIR"):
        disks[spill] = ENOUGH_DISK, "free some, or set RAY_TMPDIR elsewhere before Ray starts"
    if run is not None:
        disks[run] = ENOUGH_RUN, "free some, use a larger disk, or lower trainer.max_actor_ckpt_to_keep"
    for folder, (enough, remedy) in disks.items():
        yield _disk(folder, enough, remedy)
    yield _open_files()
    yield from _cpus()


def _open_files() -> Finding:
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= ENOUGH_FILES:
        return ok("open files", "enough" if limit == resource.RLIM_INFINITY else f"{limit:,}")
    least = ENOUGH_FILES if most == resource.RLIM_INFINITY else min(most, ENOUGH_FILES)
    found = f"at most {limit:,}, less than the {ENOUGH_FILES:,} that Ray asks for"
    return warning("open files", found, f"`ulimit -n {least}` where Ray starts")


def _cpus() -> Iterator[Finding]:
    """Checks the CPUs for a run on all GPUs; without a GPU the config sets how many Ray counts."""
    import torch
    from ray._private.utils import get_num_cpus

    gpus = 0 if os.environ.get("VERL_PLATFORM") == "cpu" else torch.cuda.device_count()
    if not gpus:
        return
    cpus, least = get_num_cpus(), A_GPU * gpus + OTHERS + 1
    if cpus >= least:
        yield ok("CPUs", f"{cpus}")
    else:
        found = f"{cpus}; a run on all {gpus} GPUs reserves at least {least}, and waits for ever"
        yield failure("CPUs", found, "ask for more, or train on fewer GPUs")


def _disk(folder: str, enough: int, remedy: str) -> Finding:
    """Checks whether the disk of a folder has enough room. The folder exists, or would be made."""
    check, place = f"disk at {folder}", Path(folder).absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return failure(check, f"'{place}' is no folder that this user may write to", "give another, or mend its rights")
    return _room(check, shutil.disk_usage(place).free, enough, remedy)


def _room(check: str, free: int, enough: int, remedy: str) -> Finding:
    found = f"{free / GIB:.1f} GiB"
    if free >= enough:
        return ok(check, found)
    return warning(check, f"{found}, less than {enough / GIB:.0f}", remedy)
