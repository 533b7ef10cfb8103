"""The parity check that a training run makes by itself. It runs in a process of its own, since vLLM must not be loaded
in verl's.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time

from videossr_verl.errors import BadInput
from videossr_verl.printable import printable

logger = logging.getLogger(__name__)

MODES = ("stop", "warn", "off")
TIMEOUT = 300.0  # seconds; it takes some ten


def check_before_training(mode: str, model: str, data: str, data_root: str) -> None:
    """Runs `videossr parity` on the first sample of each task.

    If the check cannot be made here (the driver's node may lack what vLLM needs), says so and stops nothing.

    Args:
        mode: `data.parity`: stop (the run, where the two sides differ), warn, or off.
        model: folder whose processor both sides use.
        data, data_root: parquet file and the folder that its videos are relative to.

    Raises:
        BadInput: the two sides differ and mode is stop; or an unknown mode.
    """
    if mode not in MODES:
        raise BadInput(f"data.parity={mode} is none of {', '.join(MODES)}")
    if mode == "off":
        return
    command = [sys.executable, "-m", "videossr_verl.cli", "parity", "--model", model, "--data", data]
    started = time.monotonic()
    try:
        run = subprocess.run([*command, "--data-root", data_root], capture_output=True, text=True, timeout=TIMEOUT)
        code, output, wrong = run.returncode, run.stdout, run.stderr
    except subprocess.TimeoutExpired:
        code, output, wrong = -1, "", f"no result after {TIMEOUT:.0f} s"
    if code == 0:
        logger.warning("rollout and trainer see the same prompts (checked in %.0f s)", time.monotonic() - started)
        return
    if code != 1 or ": different" not in output:  # Python's own code for a traceback is 1, too
        reason = printable((wrong.strip().splitlines() or ["it told no reason"])[-1])
        logger.warning("rollout and trainer were not compared: %s; run `videossr parity --model %s`", reason, model)
        return
    found = printable(" ".join(output.split()))
    if mode == "stop":
        raise BadInput(
            f"rollout and trainer see different prompts: {found} Install the versions in constraints/, or set"
            " data.parity=warn to train all the same"
        )
    logger.warning("rollout and trainer see different prompts, and data.parity=warn goes on: %s", found)
