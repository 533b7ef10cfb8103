"""Run by test_fused_output_layer.py on two ranks: the output layer's gradient, fused and plain."""

import sys
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy
from transformers.models.qwen3_vl import Qwen3VLConfig, Qwen3VLForConditionalGeneration
from verl.models.transformers import qwen3_vl
from verl.utils.fsdp_utils import apply_fsdp2

TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
TEXT |= {"num_key_value_heads": 1, "head_dim": 16, "vocab_size": 128, "pad_token_id": 0}
TEXT |= {"rope_parameters": {"mrope_section": [2, 3, 3], "rope_type": "default", "rope_theta": 1e4}}
VISION = {"hidden_size": 16, "depth": 1, "num_heads": 2, "intermediate_size": 16, "out_hidden_size": 32}
VISION |= {"deepstack_visual_indexes": [0]}


def gradient(forward, dtype):
    """(128, 32) float32: of the output layer, after one backward pass over tokens that differ by rank."""
    torch.manual_seed(0)
    special = {"image_token_id": 120, "video_token_id": 121, "vision_start_token_id": 122, "vision_end_token_id": 123}
    config = Qwen3VLConfig(text_config=TEXT, vision_config=VISION, tie_word_embeddings=False, **special)
    model = Qwen3VLForConditionalGeneration(config).train()
    mesh = init_device_mesh("cpu", (dist.get_world_size(),), mesh_dim_names=("fsdp",))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=True)
    apply_fsdp2(model, {"mesh": mesh, "mp_policy": policy, "reshard_after_forward": True}, {})
    ids = torch.arange(2, 34)[None] * (dist.get_rank() + 1) % 100
    with (
        patch.object(Qwen3VLForConditionalGeneration, "forward", forward),
        torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16),
    ):
        output = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, shift_labels=ids)
        log_probs = output.log_probs
        if log_probs is None:
            log_probs = output.logits.float().log_softmax(-1).gather(-1, ids[..., None])
        log_probs.mean().backward()
    return model.lm_head.weight.grad.full_tensor()


def main(which):
    dist.init_process_group("gloo")
    fused = qwen3_vl.forward_with_torch_backend
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 0.02)):
        ours = gradient(fused if which == "fixed" else fused.stock, dtype)
        plain = gradient(qwen3_vl.forward_with_normal_backend, dtype)
        error = ((ours - plain).norm() / plain.norm()).item()
        assert error < tolerance, f"{dtype}: {error}"
    print("SAME")
    dist.destroy_process_group()


main(sys.argv[1])
