"""Deletes the shared memory that killed runs left. vLLM and verl name theirs, and nobody deletes it when they are
killed.

vLLM's executor has two buffers of 160 and 240 MiB (psm_*), which always stay when Ray ends a run. verl has one for
weights on their way (verl_weights_*), and PyTorch's data loaders have torch_*. A segment of this user that no process
has mapped belongs to nobody, because whoever makes one maps it at once.
"""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

FOLDER = Path("/dev/shm")
NAMES = re.compile(r"(psm|torch|verl_weights)_[0-9a-f_]+")
AGE = 10.0  # seconds
AGE_UNSEEN = 600.0  # for memory that processes of other containers may share: they have attached by then
ALL_PROCESSES = "pid:[4026531836]"  # the first name space, which sees all processes


def remove_abandoned() -> None:
    """Deletes this user's segments that no process has mapped."""
    age = AGE if os.readlink("/proc/self/ns/pid") == ALL_PROCESSES else AGE_UNSEEN
    old = {path for path in FOLDER.glob("*_*") if NAMES.fullmatch(path.name) and _is_ours(path, age)}
    removed = 0
    for path in old - _mapped() if old else ():
        with suppress(FileNotFoundError):
            removed += path.stat().st_blocks * 512
            path.unlink()
    if removed:
        logger.warning("deleted %.0f MiB of shared memory that ended runs left in %s", removed / 2**20, FOLDER)


def _is_ours(path: Path, age: float) -> bool:
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_uid == os.getuid() and time.time() - found.st_mtime > age
    return False


def _mapped() -> set[Path]:
    """Returns the files there that any process has mapped, as far as we may look."""
    mapped = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with suppress(OSError):  # the process has ended, or is another user's
            for line in maps.read_text(errors="replace").splitlines():
                _, found, name = line.partition(f" {FOLDER}/")
                if found:
                    mapped.add(FOLDER / name)
    return mapped
