"""verl 0.9.1: its FSDP engine never reads `actor.freeze_vision_tower` of its config, so the tower is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_wanted = {"frozen": False}  # state of the one actor in this process


def wrap_init(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes a worker remember what the actor's config asks for."""

    def __init__(self: Any, config: Any, *args: Any, **kwargs: Any) -> None:
        _wanted["frozen"] = bool(config.get("actor", {}).get("freeze_vision_tower", False))
        stock(self, config, *args, **kwargs)

    return __init__


def wrap_build_module(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the engine build a trained model without gradients in its vision tower, where that is asked for."""

    def _build_module(self: Any) -> Any:
        module = stock(self)
        if _wanted["frozen"] and not self.engine_config.forward_only:
            for name, weight in module.named_parameters():
                if "visual" in name.split("."):
                    weight.requires_grad_(False)
        return module

    return _build_module
