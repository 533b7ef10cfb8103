"""verl's engine computes the same with shared prompts as without: log-probabilities, entropy, gradients."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from verl.utils import tensordict_utils as tu

from videossr_verl.families.shape import ModelShape, TextShape, VisionShape
from videossr_verl.patches.speed.shared_prompts import engine
from videossr_verl.patches.speed.shared_prompts.micro_batches import is_shared
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.shaped_model import save_shaped_model
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
    "qwen3_vl_moe, packed": PACKED,
    "qwen3_vl, frozen tower": ("actor_rollout_ref.actor.freeze_vision_tower=true",),
}


# As Qwen3-VL-30B-A3B, with few and narrow layers.
MIXTURE = ModelShape(
    "tiny mixture",
    "qwen3_vl_moe",
    TextShape(
        hidden=256,
        intermediate=256,
        layers=3,
        heads=2,
        kv_heads=1,
        head_dim=128,
        vocab=512,
        tied=False,
        max_positions=8192,
        qkv_bias=False,
        qk_norm=True,
        experts=8,
        experts_per_token=2,
        expert_intermediate=64,
    ),
    VisionShape(
        hidden=256,
        intermediate=256,
        depth=3,
        patch=16,
        gated_mlp=False,
        layer_norms=True,
        stem_bias=True,
        positions=256,
        deepstack=2,
    ),
)


@pytest.fixture(scope="module")
def models(tmp_path_factory, tiny_model):
    """Returns the folders of tiny models, by the first word of a run."""
    tokenizer = train_tokenizer(["order <1.5 seconds> 0123456789"] * 4, 400)
    dense, mixture = (tmp_path_factory.mktemp(name) for name in ("qwen3_vl", "qwen3_vl_moe"))
    save_checkpoint(build_model("qwen3_vl", tokenizer, 0), build_processor("qwen3_vl", tokenizer), dense)
    save_shaped_model(MIXTURE, tokenizer, mixture, 0)
    return {"qwen2_5_vl": tiny_model, "qwen3_vl": dense, "qwen3_vl_moe": mixture}


@pytest.fixture(scope="module")
def said(models):
    """Returns what stock_and_shared.py said of each run and batch, and its errors."""
    runs = {name: [str(models[name.partition(",")[0]]), *overrides] for name, overrides in RUNS.items()}
    command = [sys.executable, str(SCRIPT)]
    finished = subprocess.run(command, input=json.dumps(runs), capture_output=True, text=True, timeout=900)
    return [json.loads(line) for line in finished.stdout.splitlines() if line.startswith('{"run"')], finished.stderr


@pytest.fixture(scope="module", params=RUNS)
def compared(request, said):
    """Returns what it said of each batch of a run."""
    batches, errors = said
    found = [batch for batch in batches if batch["run"] == request.param]
    assert len(found) == 6, errors[-3000:]
    return found


def test_both_compute_the_same(compared):
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
    config = SimpleNamespace(shared_prompts=True)
    asked = SimpleNamespace(engine_config=config, **{"use_ulysses_sp": False, "pad_to_length": False} | changed)
    noted = []
    run = engine.wrap_forward_backward_batch(lambda _engine, batch: noted.append(is_shared(batch)))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            run(asked, tu.get_tensordict({"input_ids": torch.zeros(2, 3)}, {}))
    assert noted == [False, False]
    assert caplog.messages == [f"shared_prompts: every row is computed by itself, because {reason}"]
