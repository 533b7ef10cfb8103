"""Dummy loading must leave vLLM's pixel normalisation as it is."""

import pytest
import torch
import verl  # noqa: F401  (loads the plugin)
from vllm.model_executor.model_loader.weight_utils import initialize_single_dummy_weight
from vllm.model_executor.models import vision

from videossr_verl.patches.correctness import input_normalization
from videossr_verl.vllm_plugin import register

CLIP = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28], "rescale_factor": 1 / 255}


def black_after_dummy_loading():
    """What a black pixel becomes; dummy loading is what `initialize_dummy_weights` does."""
    norm = vision.FusedInputNorm(**CLIP)
    for weight in norm.state_dict().values():
        initialize_single_dummy_weight(weight)
    return norm.bias.tolist()


def test_the_normalisation_survives_dummy_loading():
    register()
    assert black_after_dummy_loading() == pytest.approx([-0.48 / 0.27, -0.46 / 0.26, -0.41 / 0.28], rel=1e-5)


def test_it_is_still_there_for_sleep_and_wake():
    register()
    assert {name for name, _ in vision.FusedInputNorm(**CLIP).named_buffers()} == {"weight", "bias"}


def test_stock_still_needs_it(monkeypatch):
    register()
    monkeypatch.setattr(vision.FusedInputNorm, "__init__", vision.FusedInputNorm.__init__.stock)
    assert max(map(abs, black_after_dummy_loading())) < 0.01, (
        "upstream fixed this: remove videossr_verl/patches/correctness/input_normalization.py"
    )


def test_applying_twice_changes_nothing():
    register()
    before = vision.FusedInputNorm.__init__
    input_normalization.keep_from_dummy_loading(vision)
    assert vision.FusedInputNorm.__init__ is before
    assert isinstance(vision.FusedInputNorm(**CLIP), torch.nn.Module)
