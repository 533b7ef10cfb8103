"""vLLM's part of a GPU: weights, working memory and what is left for the KV cache."""

from __future__ import annotations

from dataclasses import dataclass

from videossr_verl.families.shape import ModelShape
from videossr_verl.preflight.memory.gpus import GIB, Gpu
from videossr_verl.preflight.memory.parameters import Parameters
from videossr_verl.preflight.memory.run_settings import Rollout

# Estimates: CUDA graphs and NCCL's buffers, which vLLM counts as its own, and its process's context, asleep or not.
_GRAPHS = 1 * GIB
ASLEEP = 2 * GIB
# Patches of the largest image that the families take, 12.8 million pixels, whatever prompts show.
_LARGEST_ITEM = 65_536
_SAMPLER_COPIES = 3  # copies of all sequences' fp32 logits: sorted, and as log-probabilities


@dataclass(frozen=True)
class RolloutPlan:
    """Bytes on each GPU, and tokens.

    Attributes:
        budget: what vLLM takes while it answers: gpu_memory_utilization of the GPU.
        weights, working, cache: its parts; `cache` may be negative.
        token_bytes: of the KV cache, for one token.
        max_model_len: the longest request that vLLM must be able to serve, tokens.
        cache_tokens: what the cache holds, of all requests of one engine.
    """

    budget: int
    weights: int
    working: int
    token_bytes: int
    max_model_len: int

    @property
    def cache(self) -> int:
        """What is left for keys and values."""
        return self.budget - self.weights - self.working

    @property
    def cache_tokens(self) -> int:
        """Tokens in it, 0 if nothing is left."""
        return max(0, self.cache) // self.token_bytes


def kv_token_bytes(shape: ModelShape, rollout: Rollout) -> int:
    """Returns the bytes of one token's keys and values on each GPU. If there are fewer heads than GPUs, each head is
    kept several times.
    """
    heads = -(-shape.text.kv_heads // rollout.tensor_parallel)
    return 2 * shape.text.layers * heads * shape.text.head_dim * rollout.dtype_bytes


def plan_rollout(shape: ModelShape, parameters: Parameters, rollout: Rollout, gpu: Gpu) -> RolloutPlan:
    """Returns vLLM's memory on one GPU."""
    longest = rollout.max_model_len or shape.text.max_positions
    base = parameters.total - parameters.adapter
    weights = -(-base // rollout.tensor_parallel) * rollout.dtype_bytes + parameters.adapter * rollout.dtype_bytes
    return RolloutPlan(
        budget=int(rollout.utilization * gpu.memory),
        weights=weights,
        working=_working(shape, rollout, longest),
        token_bytes=kv_token_bytes(shape, rollout),
        max_model_len=longest,
    )


def _working(shape: ModelShape, rollout: Rollout, longest: int) -> int:
    """Returns the memory that vLLM's trial run takes: one full batch, the vision tower on as many tokens or on the
    largest item, and the sampler.
    """
    text, vision = shape.text, shape.vision
    # verl raises the batch to the longest request where prompts may not be cut.
    tokens = rollout.batched_tokens if rollout.chunked_prefill else max(rollout.batched_tokens, longest)
    wide = text.experts_per_token * (3 * text.expert_intermediate + text.hidden) if text.experts else 0
    layer = 4 * text.hidden + max(wide, 3 * text.intermediate // rollout.tensor_parallel)
    patches = max(min(tokens, text.max_positions) * vision.merge**2, _LARGEST_ITEM)
    tower = patches * (8 * vision.hidden + 3 * vision.intermediate // rollout.tensor_parallel)
    sampler = rollout.max_seqs * text.vocab * 4 * _SAMPLER_COPIES
    return rollout.dtype_bytes * max(tokens * layer, tower) + sampler + _GRAPHS
