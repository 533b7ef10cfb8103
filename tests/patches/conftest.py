"""Tiny checkpoints of both families with enlarged weights, and video items as the renderer makes them."""

import os

# Before vLLM and torch are imported.
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
import ray
import torch
import transfer_queue
import verl  # noqa: F401  (loads the plugin)
from verl.utils import hf_processor

from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.tokenizer import train_tokenizer


def _sharpen(model, seed=0):
    """Weights large enough that a wrong position changes log-probs; the usual init hides it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            fan_in = weight[0].numel()
            if weight.dim() < 2:
                scale = 0.1 if name.endswith("bias") else None
            elif "embed_tokens" in name or "pos_embed" in name:
                scale = 0.5
            else:
                scale = (2.5 if "q_proj" in name or "k_proj" in name else 1.6) / fan_in**0.5
            if scale is not None:
                weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
    return model


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """family -> folder of its tiny checkpoint."""
    tokenizer = train_tokenizer(["Clip 1: count the shapes <1.2 seconds> <3.4 seconds> order answer"] * 4, 512)
    folders = {}

    def get(family):
        if family not in folders:
            folder = tmp_path_factory.mktemp(family)
            save_checkpoint(_sharpen(build_model(family, tokenizer, 0)), build_processor(family, tokenizer), folder)
            folders[family] = folder
        return folders[family]

    return get


@pytest.fixture(scope="session")
def processor(checkpoint):
    """family -> the processor as verl makes it, with the plugin."""
    return lambda family: hf_processor(str(checkpoint(family)))


@pytest.fixture(scope="session")
def video():
    """(times in seconds, seed, height, width) -> (uint8 TCHW frames, metadata in milliseconds)."""

    def make(times, seed=0, height=56, width=84):
        rng = np.random.default_rng(seed)
        frames = torch.from_numpy(rng.integers(0, 255, (len(times), 3, height, width), dtype=np.uint8))
        interval = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.5
        metadata = {
            "fps": 1000.0,
            "frames_indices": [round(1000 * t) for t in times],
            "total_num_frames": round(1000 * interval * len(times)),
            "duration": times[-1] + interval,
            "video_backend": "videossr",
        }
        return frames, metadata

    return make


@pytest.fixture(scope="module")
def queue():
    """A TransferQueue in a Ray of its own."""
    ray.init(num_cpus=8, include_dashboard=False, logging_level="ERROR")
    transfer_queue.init()
    yield transfer_queue
    transfer_queue.close()
    ray.shutdown()
