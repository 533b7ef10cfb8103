"""verl 0.9.1: its FSDP engine never reads `actor.freeze_vision_tower` of its config, so the tower is trained."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from videossr_verl.patches.hooks import replace_method

_wanted = {"frozen": False}  # of the one actor that lives in this process


def apply_to_workers(engine_workers: ModuleType) -> None:
    """Remembers what the actor's config asks for."""
    replace_method(engine_workers.ActorRolloutRefWorker, "__init__", _remembering)


def apply_to_engine(transformer_impl: ModuleType) -> None:
    """Builds a trained model without gradients in its vision tower, where that is asked for."""
    replace_method(transformer_impl.FSDPEngine, "_build_module", _freezing)


def _remembering(stock: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, config: Any, *args: Any, **kwargs: Any) -> None:
        _wanted["frozen"] = bool(config.get("actor", {}).get("freeze_vision_tower", False))
        stock(self, config, *args, **kwargs)

    return __init__


def _freezing(stock: Callable[..., Any]) -> Callable[..., Any]:
    def _build_module(self: Any) -> Any:
        module = stock(self)
        if _wanted["frozen"] and not self.engine_config.forward_only:
            for name, weight in module.named_parameters():
                if "visual" in name.split("."):
                    weight.requires_grad_(False)
        return module

    return _build_module
