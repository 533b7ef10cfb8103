"""Entry point of group `vllm.general_plugins`: vLLM calls `register` in each of its processes."""

from __future__ import annotations

import os

from videossr_verl.patches import fixes


def register() -> None:
    """Installs what vLLM lacks for these tasks. May be called any number of times."""
    fixes.install_in_vllm()
    if os.environ.get("VERL_PLATFORM") == "cpu":
        from videossr_verl.patches.cpu import vllm_weights

        vllm_weights.install()
