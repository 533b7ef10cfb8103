"""What is said of GPUs: torch's CUDA functions and the program nvidia-smi are stand-ins, as no test has a GPU."""

import importlib
from types import SimpleNamespace

import pytest
import torch

from videossr_verl.preflight.doctor.gpus import check_gpus

H100 = "NVIDIA H100 80GB HBM3"


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """(shell commands) -> None: what the program does from now on; until then there is none."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(commands):
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{commands}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)

    return write


@pytest.fixture
def gpus(monkeypatch):
    """(names, CUDA of torch) -> the finding, on a machine where torch sees GPUs of these names."""
    monkeypatch.delenv("VERL_PLATFORM")

    def find(names, cuda="13.0"):
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(names))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: names[i])
        memory = SimpleNamespace(total_memory=80 * 2**30)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda i: memory)
        monkeypatch.setattr(importlib.import_module("torch.cuda.nccl"), "version", lambda: (2, 29, 3))
        (finding,) = check_gpus()
        return finding

    return find


def test_gpus_with_their_driver(gpus, nvidia_smi):
    nvidia_smi('[ "$*" = "--query-gpu=driver_version --format=csv,noheader" ] && echo 580.65.06 && echo 580.65.06')
    finding = gpus([H100, H100])
    assert finding.level == "ok"
    assert finding.found == f"2 x {H100}, 80 GiB; driver 580.65.06; torch's CUDA 13.0, NCCL 2.29.3"
    assert gpus([H100, "NVIDIA H200"]).level == "warning"


def test_gpus_without_nvidia_smi(gpus, nvidia_smi):
    """Some containers have the driver's library only."""
    assert "; driver unknown; " in gpus([H100]).found
    nvidia_smi("echo 'Failed to initialize NVML'; exit 9")
    assert "; driver unknown; " in gpus([H100]).found


@pytest.mark.parametrize(
    ("driver", "cuda", "found", "remedy"),
    [
        ("535.183.01", "13.0", "driver 535.183.01 is too old for torch's CUDA 13.0", "install driver 580 or newer"),
        ("470.57.02", "12.8", "driver 470.57.02 is too old for torch's CUDA 12.8", "install driver 525 or newer"),
        ("580.65.06", "13.0", "driver 580.65.06 is there, but torch (CUDA 13.0) cannot use it", "CUDA_VISIBLE_DEVICES"),
        ("580.65.06", None, "this torch is built without CUDA; driver 580.65.06", "bash recipes/setup_gpu.sh"),
    ],
)
def test_none_that_torch_can_use(driver, cuda, found, remedy, gpus, nvidia_smi, monkeypatch):
    nvidia_smi(f"echo {driver}")
    finding = gpus([], cuda)
    assert finding.level == "failure"
    assert finding.found.startswith(found)
    assert remedy in finding.remedy


def test_torch_says_why_it_cannot_use_a_driver(gpus, nvidia_smi, monkeypatch):
    def refuse():
        raise RuntimeError("Error 802: system not yet initialized\nCUDA kernel errors might be reported later")

    monkeypatch.setattr(torch.cuda, "init", refuse)
    nvidia_smi("echo 580.65.06")
    assert gpus([]).found.endswith("cannot use it: Error 802: system not yet initialized")


def test_no_driver(gpus, nvidia_smi):
    finding = gpus([])
    assert finding.level == "failure"
    assert "nvidia-smi finds no driver" in finding.found
    assert "install the driver" in finding.remedy
    assert "VERL_PLATFORM=cpu" in finding.remedy
