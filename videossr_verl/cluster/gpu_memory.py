"""How much memory of this machine's GPUs is taken, whoever has it. Asks nvidia-smi, so nothing is taken by asking."""

from __future__ import annotations

import subprocess

ANSWER_SECONDS = 30.0
MUCH = 2 * 2**30  # bytes; a display, or a monitor of the machine, takes less


def ask_nvidia_smi(*fields: str) -> list[list[str]]:
    """Returns the fields of each GPU, or nothing if nvidia-smi is missing, fails or does not answer.

    Args:
        fields: as `nvidia-smi --help-query-gpu` names them.
    """
    command = ("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits")
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in finished.stdout.splitlines()]
    return [row for row in rows if len(row) == len(fields)] if finished.returncode == 0 else []


def taken() -> dict[int, int]:
    """Returns the GPUs of which more than `MUCH` bytes are taken -> how many."""
    rows = ask_nvidia_smi("index", "memory.used")
    used = {int(index): int(mib) * 2**20 for index, mib in rows if mib.isdigit()}
    return {index: size for index, size in used.items() if size > MUCH}
