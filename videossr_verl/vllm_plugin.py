"""Entry point of group `vllm.general_plugins`: vLLM calls `register` in each of its processes."""

from __future__ import annotations

import functools

from videossr_verl.patches.install import install


@functools.cache
def register() -> None:
    """Installs what vLLM lacks for these tasks. May be called any number of times."""
    install("vllm")
