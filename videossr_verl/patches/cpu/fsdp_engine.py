"""verl registers its FSDP engine for cuda and npu only, and offloads the reference policy to pinned memory."""

from __future__ import annotations

from types import ModuleType


def register(transformer_impl: ModuleType) -> None:
    """Registers the engine for the CPU, where nothing is offloaded."""
    from torch.distributed.fsdp import OffloadPolicy
    from verl.workers.engine.base import EngineRegistry

    # Pinning needs an accelerator, and there is nowhere to offload from.
    vars(transformer_impl)["CPUOffloadPolicy"] = lambda pin_memory=False: OffloadPolicy()
    if "cpu" not in EngineRegistry._engines["language_model"]["fsdp2"]:
        register = EngineRegistry.register(model_type="language_model", backend=["fsdp", "fsdp2"], device="cpu")
        register(transformer_impl.FSDPEngineWithLMHead)
