"""A micro batch of text alone goes through Qwen2.5-VL as its plain embeddings, and still through the vision tower."""

import pytest
import torch
from transformers import AutoModelForImageTextToText
from verl.models.transformers import qwen2_vl


@pytest.fixture(scope="module")
def model(checkpoint):
    return AutoModelForImageTextToText.from_pretrained(checkpoint("qwen2_5_vl")).model


IDS = torch.arange(5, 25)[None]


def test_the_embeddings_are_those_of_the_text(model):
    mask = torch.ones_like(IDS)
    embeds, kept = qwen2_vl._get_input_embeds(model, IDS, mask)
    assert torch.equal(embeds, model.get_input_embeddings()(IDS))
    assert torch.equal(kept, mask)


def test_the_vision_tower_is_called_and_learns_nothing(model):
    """Every FSDP rank must call it, or the others wait for ever."""
    model.zero_grad()
    embeds, _ = qwen2_vl._get_input_embeds(model, IDS)
    embeds.sum().backward()
    gradients = [weight.grad for weight in model.visual.parameters()]
    assert all(gradient is not None and not gradient.any() for gradient in gradients)


def test_verl_still_needs_it(model):
    """When this fails, verl reads the vision tower's answer itself: the repair may go."""
    with pytest.raises(AttributeError, match="has no attribute 'mean'"):
        qwen2_vl._get_input_embeds.stock(model, IDS)
