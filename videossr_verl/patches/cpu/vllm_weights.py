"""vLLM on CPU packs linear weights for oneDNN or sgl kernels and drops the originals.

Then verl's weight sync cannot load new weights after a step: it fails with "'Parameter' object has no attribute
'weight_loader'". Without packing, vLLM uses plain `torch.nn.functional.linear`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any


def turn_off_onednn(custom_ops: ModuleType) -> None:
    """Has vLLM pack no weights for oneDNN."""
    if custom_ops.current_platform.is_cpu():
        vars(custom_ops)["_supports_onednn"] = False


def wrap_check_cpu_sgl_kernel(stock: Callable[..., bool]) -> Callable[..., bool]:
    """Has vLLM pack no weights for sgl kernels, which are for CPUs only."""

    def check_cpu_sgl_kernel(*args: Any, **kwargs: Any) -> bool:
        return False

    return check_cpu_sgl_kernel
