import importlib.metadata
import os
import socket
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from verl.plugin.platform.platform_base import PlatformBase

from videossr_verl.patches.cpu import compilation, platform
from videossr_verl.patches.install import install

pytestmark = pytest.mark.skipif(os.environ.get("VERL_PLATFORM") != "cpu", reason="needs VERL_PLATFORM=cpu")


@pytest.fixture
def cpu():
    return platform.CpuPlatform()


def test_verl_chooses_it():
    from verl.utils import device

    assert device.get_device_name() == "cpu"
    assert torch.zeros(1).to(device.get_device_id()).device.type == "cpu"
    assert device.get_resource_name() == "GPU"


def test_is_never_detected_by_itself(cpu):
    assert isinstance(cpu, PlatformBase)
    assert not cpu.is_platform_available(use_smi_check=True)


def test_device_module_answers_what_verl_asks(cpu):
    module = cpu.device_module
    free, total = module.mem_get_info()
    assert 0 < free <= total
    assert module.max_memory_allocated() == module.memory_reserved() == 0
    assert module.current_device() == "cpu"
    module.manual_seed(3)
    state = module.get_rng_state()
    first = torch.rand(2)
    module.set_rng_state(state)
    assert torch.equal(torch.rand(2), first)
    for name in ("empty_cache", "ipc_collect", "synchronize", "reset_peak_memory_stats"):
        getattr(module, name)()


def test_a_device_named_twice_is_named_once():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dist.init_process_group("cpu:gloo,cpu:gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
    try:
        total = torch.ones(1)
        dist.all_reduce(total)
        assert total.item() == 1
    finally:
        dist.destroy_process_group()


def test_stock_torch_still_refuses_it():
    stock = dist.init_process_group.stock
    with pytest.raises((ValueError, RuntimeError), match=r"[Dd]uplicate"):
        stock("cpu:gloo,cpu:gloo", store=dist.HashStore(), rank=0, world_size=1)


def test_version_of_vllm_has_the_suffix_that_vllm_looks_for():
    try:
        importlib.metadata.version.stock("vllm")
    except importlib.metadata.PackageNotFoundError:
        assert importlib.metadata.version("vllm").endswith("+cpu")
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("no-such-distribution-anywhere")


def test_install_twice_changes_nothing():
    before = dist.init_process_group, importlib.metadata.version
    install("verl")
    assert (dist.init_process_group, importlib.metadata.version) == before


def test_fsdp_engine_is_registered_without_offload():
    from torch.distributed.fsdp import CPUOffloadPolicy
    from verl.workers.engine import EngineRegistry
    from verl.workers.engine.fsdp import transformer_impl

    for backend in ("fsdp", "fsdp2"):
        engines = EngineRegistry._engines["language_model"][backend]
        assert engines["cpu"] is transformer_impl.FSDPEngineWithLMHead
    assert not isinstance(transformer_impl.CPUOffloadPolicy(pin_memory=True), CPUOffloadPolicy)


def test_torchvision_imports_in_a_bare_process():
    code = "import torchvision; from torchvision.transforms.v2 import functional; print(torchvision.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_torchvision_ops_are_declared_only_where_the_extension_cannot_load():
    from types import SimpleNamespace

    from videossr_verl.patches.cpu import torchvision_ops

    before = list(torchvision_ops._libraries)
    torchvision_ops.declare_missing_ops(SimpleNamespace(_has_ops=lambda: True))
    assert torchvision_ops._libraries == before

    import torchvision

    assert bool(torchvision_ops._libraries) is not torchvision.extension._has_ops()
    assert hasattr(torch.ops.torchvision, "nms")


def test_nothing_is_compiled():
    seen = []

    def backend(graph, inputs):
        seen.append(graph)
        return graph.forward

    compilation.skip_torch_compile()
    assert torch.compile(lambda x: x + 1, backend=backend)(torch.ones(1)).item() == 2
    assert not seen


def test_a_trainer_without_the_platform_ends_with_one_sentence():
    command = [sys.executable, "-m", "verl.trainer.main_ppo", "--config-name", "videossr_grpo_cpu"]
    environment = {name: value for name, value in os.environ.items() if name != "VERL_PLATFORM"}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1].endswith("CPUs only: to train with it, set VERL_PLATFORM=cpu")
    assert "Traceback" not in finished.stderr


def test_videos_of_other_data_sets_are_read_with_decord(monkeypatch):
    from qwen_vl_utils import vision_process

    assert vision_process.get_video_reader_backend.__wrapped__() == "decord"
    monkeypatch.setattr(vision_process, "FORCE_QWENVL_VIDEO_READER", None)
    assert vision_process.get_video_reader_backend.__wrapped__() == "torchcodec", (
        "qwen-vl-utils chooses another reader by itself: videossr_verl/patches/cpu/video_reader.py may go"
    )
