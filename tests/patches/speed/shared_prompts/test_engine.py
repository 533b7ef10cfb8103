"""verl's engine computes the same with shared prompts as without: log-probabilities, entropy, gradients."""

import json
import logging
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from videossr_verl.patches.speed.shared_prompts import engine
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.tokenizer import train_tokenizer

SCRIPT = Path(__file__).parent / "stock_and_shared.py"
MODEL = "actor_rollout_ref.model"
PACKED = (f"{MODEL}.use_remove_padding=true", f"{MODEL}.override_config.attn_implementation=torch_flash_attention")
# Qwen2.5-VL's packed rows are attended to in bf16 by stock verl, so there is nothing to compare on a CPU.
RUNS = {
    "qwen2_5_vl": (),
    "qwen2_5_vl, LoRA": (f"{MODEL}.lora_rank=8",),
    "qwen3_vl, packed, checkpointing": (*PACKED, f"{MODEL}.enable_gradient_checkpointing=true"),
    "qwen3_vl, packed, fused kernels": (*PACKED, f"{MODEL}.use_fused_kernels=true"),
    "qwen3_vl, packed, micro-batches by tokens": (
        *PACKED,
        "actor_rollout_ref.actor.use_dynamic_bsz=true",
        *(f"actor_rollout_ref.{part}_max_token_len_per_gpu=260" for part in ("actor.ppo", "rollout.log_prob")),
    ),
    "qwen3_vl, frozen tower": ("actor_rollout_ref.actor.freeze_vision_tower=true",),
}


@pytest.fixture(scope="module")
def qwen3_vl(tmp_path_factory):
    """Makes a tiny Qwen3-VL."""
    folder = tmp_path_factory.mktemp("qwen3_vl")
    tokenizer = train_tokenizer(["order <1.5 seconds> 0123456789"] * 4, 400)
    save_checkpoint(build_model("qwen3_vl", tokenizer, 0), build_processor("qwen3_vl", tokenizer), folder)
    return folder


@pytest.fixture(scope="module", params=RUNS)
def compared(request, qwen3_vl, tiny_model):
    """Returns what stock_and_shared.py said of each batch."""
    model = qwen3_vl if request.param.startswith("qwen3_vl") else tiny_model
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, SCRIPT, model, port, *RUNS[request.param]]
    finished = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return [json.loads(line) for line in finished.stdout.splitlines() if line.startswith('{"batch"')]


def test_both_compute_the_same(compared):
    assert len(compared) == 6
    for batch in compared:
        assert batch["log_probs"] <= 1e-4, batch
        assert batch["entropy"] <= 1e-4, batch
        assert batch["gradients"] <= 1e-4, batch
        assert batch["same gradients"], batch


def test_a_prompt_is_computed_once(compared):
    for batch in compared:
        (stock, ours), (rows, groups) = map(sum, batch["tokens"]), batch["wanted"]
        assert stock >= rows  # more where they are padded
        assert ours == (groups if groups < rows else stock)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"use_ulysses_sp": True}, "Ulysses splits each sequence over GPUs"),
        ({"pad_to_length": True}, "pad_to_length gives each packed sequence a length of its own"),
        ({}, "the batch does not tell prompts from answers"),
    ],
)
def test_what_cannot_be_combined_is_told_once(changed, reason, caplog):
    engine._tell_once.cache_clear()
    asked = SimpleNamespace(**{"use_ulysses_sp": False, "pad_to_length": False} | changed)
    with caplog.at_level(logging.WARNING):
        found = [engine._find(asked, {}) for _ in range(2)]
    assert found == [None, None]
    assert caplog.messages == [f"shared_prompts: every row is computed by itself, because {reason}"]
