import os

import pytest
import torch

pytestmark = pytest.mark.skipif(os.environ.get("VERL_PLATFORM") != "cpu", reason="needs VERL_PLATFORM=cpu")
pytest.importorskip("vllm")


def _weight_after_dispatch():
    from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm

    layer = torch.nn.Linear(64, 64, bias=False)
    layer.weight.weight_loader = lambda *args: None  # what verl's weight sync looks for
    dispatch_cpu_unquantized_gemm(layer, remove_weight=True)
    return layer


def test_linear_weights_stay_loadable():
    from videossr_verl import vllm_plugin

    vllm_plugin.register()
    vllm_plugin.register()
    layer = _weight_after_dispatch()
    assert layer.weight.shape == (64, 64)
    assert hasattr(layer.weight, "weight_loader")
    x = torch.randn(3, 64)
    assert torch.equal(layer.cpu_linear(x, layer.weight, None), torch.nn.functional.linear(x, layer.weight))


def test_stock_vllm_still_drops_them(monkeypatch):
    from vllm import _custom_ops

    if not hasattr(torch.ops._C, "create_onednn_mm_handler"):
        pytest.skip("this vLLM build has no oneDNN")
    monkeypatch.setattr(_custom_ops, "_supports_onednn", True)
    assert not hasattr(_weight_after_dispatch().weight, "weight_loader"), (
        "upstream keeps the weights: remove videossr_verl/patches/cpu/vllm_weights.py"
    )
