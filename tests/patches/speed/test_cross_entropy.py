import pytest
import torch
import verl  # noqa: F401  (loads the plugin)
from verl.utils import torch_functional

from videossr_verl.patches.speed import cross_entropy


def case(dtype=torch.float32, rows=7, vocabulary=11):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, vocabulary, generator=generator, dtype=torch.float32).mul(5).to(dtype)
    return logits, torch.randint(vocabulary, (rows,), generator=generator), torch.randn(rows, generator=generator)


@pytest.mark.parametrize("chunk", [1, 30, 2**26])
@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_log_probabilities_and_their_gradient(monkeypatch, chunk, in_place, dtype):
    monkeypatch.setattr(cross_entropy, "_CHUNK", chunk)
    logits, labels, weights = case(dtype)
    exact = logits.double().requires_grad_()
    expected = torch.log_softmax(exact, -1)[range(7), labels]
    (expected * weights).sum().backward()

    source = logits.clone().requires_grad_()
    # As verl does it: by its own function, on what a model has computed.
    found = torch_functional.logprobs_from_logits(made := source * 1, labels, inplace_backward=in_place)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)
    (found * weights).sum().backward()
    fine = {"atol": 1e-6, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 1e-3, "rtol": 1e-2}
    torch.testing.assert_close(source.grad.double(), exact.grad, **fine)
    assert torch.equal(made, logits) is not in_place


def test_memory_is_that_of_the_logits():
    """Of what autograd keeps, and of what it makes in the backward pass; verl's own way keeps all rows again."""

    def kept(function):
        logits, labels, _ = case(torch.bfloat16, 64, 500)
        made = logits.requires_grad_() * 1
        seen = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: seen.update({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes()}) or t, lambda t: t
        ):
            function(made, labels)
        return sum(seen.values()) / made.nbytes

    assert kept(lambda made, labels: cross_entropy.cross_entropy_loss(made, labels, True)[0]) < 1.1
    assert kept(torch_functional.logprobs_from_logits_v2) > 0.9  # beside the logits


def test_verl_still_needs_it():
    assert torch_functional.cross_entropy_loss is cross_entropy.cross_entropy_loss
