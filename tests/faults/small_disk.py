"""Runs a command with a small disk of its own: a tmpfs in a name space for mounts, which ends with the command.

Where the system allows no such name space there is none: a limit on a file's size or /dev/full fail in other calls,
with other errors, and are no full disk.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


@cache
def can_mount() -> bool:
    """Whether this machine lets us mount one."""
    try:
        return subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True).returncode == 0
    except OSError:
        return False


def on_small_disk(folder: Path, size: str, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a script for `sh` with a disk of `size` ("300k", "40m") mounted at `folder`, which is its $0.

    In it `mount -o remount,size=... "$0"` makes the disk larger, and `remount,ro` read-only.
    """
    mounted = f'mount -t tmpfs -o size={size} small "$0" && {{ {script}\n}}'
    return subprocess.run(
        [*UNSHARE, "sh", "-c", mounted, str(folder), *arguments], capture_output=True, text=True, timeout=600
    )
