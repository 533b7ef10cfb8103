"""Measures how much memory this process can still get: the machine's, or what its container's limit leaves of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# Files of a control group: its limit, and what it holds; then the name in memory.stat for the part of it that the
# kernel gives back on demand (files read long ago).
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = ("memory.max", "memory.current", "inactive_file")


def free_memory(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Returns the bytes that the machine, and the control groups of this process, leave free; the least of these
    counts.

    Args:
        groups: where the control groups are mounted, of either version.
        own: file that names this process's groups.
    """
    import psutil

    return min((psutil.virtual_memory().available, *_left(groups, own)))


def _left(groups: Path, own: Path) -> Iterator[int]:
    """Yields the bytes that each control group of this process leaves free. Skips groups without a limit, or not shown
    here.
    """
    for line in own.read_text().splitlines() if own.is_file() else ():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mount, (limit, held, idle) = groups, V2
        elif "memory" in controllers.split(","):
            mount, (limit, held, idle) = groups / "memory", V1
        else:
            continue
        folder = mount / path.lstrip("/")
        # A container sees its own group as the root, whatever `own` calls it.
        for group in (folder, *(above for above in folder.parents if above.is_relative_to(mount))):
            try:
                most, used = int((group / limit).read_text()), int((group / held).read_text())
                stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):  # the file is missing, or says "max"
                continue
            yield max(0, most - used + int(stat.get(idle, 0)))
