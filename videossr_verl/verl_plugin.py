"""Entry point of group `verl.plugins`: verl imports this module in every one of its processes.

Importing it is all there is to do. Nothing heavy is imported here, because most of verl's processes use
neither a processor nor an engine.
"""

from __future__ import annotations

import logging
import os
from importlib.metadata import version
from types import ModuleType

from videossr_verl.patches.hooks import after_import
from videossr_verl.patches.install import install


def _install() -> None:
    install("verl")
    if os.environ.get("VERL_PLATFORM") != "cpu" and version("torch").endswith("+cpu"):
        after_import("verl.trainer.constants_ppo", _end_without_platform)


def _end_without_platform(module: ModuleType) -> None:
    """Ends a trainer on a machine without its device before verl fails in its own words. Code that only reads verl
    needs no device.
    """
    raise SystemExit("videossr: this torch is for CPUs only: to train with it, set VERL_PLATFORM=cpu")


try:
    _install()
except Exception:
    # verl hides a plugin's errors at debug level; without the patches it trains on wrong positions, silently.
    logging.getLogger(__name__).exception("videossr-verl could not patch this verl; do not trust this run")
    raise
