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
    """(names, CUDA of torch) -> the findings, on a machine where torch sees GPUs of these names."""
    monkeypatch.delenv("VERL_PLATFORM")

    def find(names, cuda="13.0"):
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(names))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: names[i])
        memory = SimpleNamespace(total_memory=80 * 2**30)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda i: memory)
        monkeypatch.setattr(importlib.import_module("torch.cuda.nccl"), "version", lambda: (2, 29, 3))
        return list(check_gpus())

    return find


def answers(driver, *used):
    """Shell commands of an nvidia-smi that knows its driver and the MiB in use on each GPU."""
    lines = "; ".join(f"echo {i}, {mib}" for i, mib in enumerate(used)) or "true"
    drivers = "; ".join(f"echo {driver}" for _ in used or (0,))
    return (
        f'case "$*" in "--query-gpu=driver_version --format=csv,noheader,nounits") {drivers} ;;\n'
        f'"--query-gpu=index,memory.used --format=csv,noheader,nounits") {lines} ;; *) exit 2 ;; esac'
    )


def test_gpus_with_their_driver(gpus, nvidia_smi):
    nvidia_smi(answers("580.65.06", 4, 500))
    (finding,) = gpus([H100, H100])
    assert finding.level == "ok"
    assert finding.found == f"2 x {H100}, 80 GiB; driver 580.65.06; torch's CUDA 13.0, NCCL 2.29.3"
    assert gpus([H100, "NVIDIA H200"])[0].level == "warning"


def test_an_older_driver_that_works_by_compatibility_libraries(gpus, nvidia_smi):
    nvidia_smi(answers("550.54.15", 4))
    (finding,) = gpus([H100])
    assert finding.level == "ok"
    assert finding.found.endswith("NCCL 2.29.3, by CUDA's compatibility libraries")


def test_memory_that_somebody_has(gpus, nvidia_smi):
    nvidia_smi(answers("580.65.06", 4, 63_488, 2_048))
    _, finding = gpus([H100] * 3)
    assert finding.level == "warning"
    assert finding.found == "in use: 62 GiB of GPU 1"  # 2 GiB may be a display's
    nvidia_smi(answers("580.65.06") + "; echo 'Unable to determine the device handle'; exit 15")
    assert len(gpus([H100])) == 1


def test_gpus_without_nvidia_smi(gpus, nvidia_smi):
    """Some containers have the driver's library only."""
    assert "; driver unknown; " in gpus([H100])[0].found
    nvidia_smi("echo 'Failed to initialize NVML'; exit 9")
    assert "; driver unknown; " in gpus([H100])[0].found


@pytest.mark.parametrize(
    ("driver", "cuda", "found", "remedy"),
    [
        (
            "535.183.01",
            "13.0",
            "driver 535.183.01 is too old for torch's CUDA 13.0",
            "or on data-centre GPUs the package cuda-compat-13-0",
        ),
        ("470.57.02", "12.8", "driver 470.57.02 is too old for torch's CUDA 12.8", "install driver 525 or newer"),
        ("580.65.06", "13.0", "driver 580.65.06 is there, but torch (CUDA 13.0) cannot use it", "CUDA_VISIBLE_DEVICES"),
        ("580.65.06", None, "this torch is built without CUDA; driver 580.65.06", "bash recipes/setup_gpu.sh"),
    ],
)
def test_none_that_torch_can_use(driver, cuda, found, remedy, gpus, nvidia_smi, monkeypatch):
    nvidia_smi(f"echo {driver}")
    (finding,) = gpus([], cuda)
    assert finding.level == "failure"
    assert finding.found.startswith(found)
    assert remedy in finding.remedy


def test_torch_says_why_it_cannot_use_a_driver(gpus, nvidia_smi, monkeypatch):
    def refuse():
        raise RuntimeError("Error 802: system not yet initialized\nCUDA kernel errors might be reported later")

    monkeypatch.setattr(torch.cuda, "init", refuse)
    nvidia_smi("echo 580.65.06")
    assert gpus([])[0].found.endswith("cannot use it: Error 802: system not yet initialized")


def test_no_driver(gpus, nvidia_smi):
    (finding,) = gpus([])
    assert finding.level == "failure"
    assert "nvidia-smi finds no driver" in finding.found
    assert "install the driver" in finding.remedy
    assert "VERL_PLATFORM=cpu" in finding.remedy
