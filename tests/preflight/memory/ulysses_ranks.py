"""Run by test_ulysses.py on two ranks: logits of a video prompt by verl's Ulysses, and without.

flash-attention needs a GPU; torch's own attention stands in for its kernel, and everything around it is verl's.
"""

import torch
import torch.distributed as dist
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLMoeConfig,
    Qwen3VLMoeForConditionalGeneration,
)
from verl.models.transformers import monkey_patch, qwen2_vl
from verl.utils.ulysses import set_ulysses_sequence_parallel_group, ulysses_pad

TEXT = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4}
TEXT |= {"num_key_value_heads": 2, "vocab_size": 200, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
TEXT |= {"rope_parameters": {"mrope_section": [2, 3, 3], "rope_type": "default", "rope_theta": 1e4}}
VISION = {"hidden_size": 32, "depth": 2, "num_heads": 2, "intermediate_size": 64, "out_hidden_size": 64}
DEEP = VISION | {"depth": 3, "deepstack_visual_indexes": [0, 1], "num_position_embeddings": 16}
EXPERTS = {"head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
SPECIAL = {"image_token_id": 190, "video_token_id": 191, "vision_start_token_id": 192, "vision_end_token_id": 193}
FAMILIES = {
    "qwen2_5_vl": (Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, TEXT, VISION),
    "qwen3_vl": (Qwen3VLConfig, Qwen3VLForConditionalGeneration, TEXT | {"head_dim": 16}, DEEP),
    "qwen3_vl_moe": (Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration, TEXT | EXPERTS, DEEP),
}
GRID = (1, 8, 12)


def attention(q, k, v, mask, query_length=None, is_causal=True, softmax_scale=None, **_):
    q, k, v = (tensor.transpose(1, 2) for tensor in (q, k, v))
    k, v = (tensor.repeat_interleave(q.shape[1] // k.shape[1], 1) for tensor in (k, v))
    out = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=is_causal, scale=softmax_scale)
    return out.transpose(1, 2)


def stand_in_for_flash_attention():
    monkey_patch._flash_attention_forward = qwen2_vl._flash_attention_forward = attention
    qwen2_vl.fa_peft_integration_check = lambda q, k, v, **_: (q, k, v)
    qwen2_vl._flash_use_top_left_mask = qwen2_vl._flash_supports_window_size = False
    qwen2_vl._flash_supports_deterministic = False


def compare(family, group):
    config_class, model_class, text, vision = FAMILIES[family]
    torch.manual_seed(0)
    model = model_class(config_class(text_config=text, vision_config=vision, tie_word_embeddings=False, **SPECIAL))
    model.eval().model.language_model.config._attn_implementation = "flash_attention_2"
    monkey_patch.apply_monkey_patch(model, ulysses_sp_size=2, use_remove_padding=True)
    steps, rows, columns = GRID
    video = [191] * (rows * columns // 4)
    ids = torch.tensor([[5, 6, 192, *video, 193, *range(7, 13)]])
    places = torch.arange(ids.shape[1])[None, None].expand(4, 1, -1).clone()
    size = model.config.vision_config.patch_size
    shown = {"pixel_values_videos": torch.randn(steps * rows * columns, 3 * 2 * size * size)}
    shown |= {"video_grid_thw": torch.tensor([GRID]), "attention_mask": None, "use_cache": False}
    with torch.no_grad():
        set_ulysses_sequence_parallel_group(None)
        whole = model(input_ids=ids, position_ids=places, **shown).logits[0]
        set_ulysses_sequence_parallel_group(group)
        padded, places, _ = ulysses_pad(ids, position_ids_rmpad=places, sp_size=2)
        part = model(input_ids=padded, position_ids=places, **shown).logits[0].contiguous()
    parts = [torch.empty_like(part) for _ in range(2)]
    dist.all_gather(parts, part, group=group)
    assert part.shape[0] == ids.shape[1] // 2
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=1e-5)


def main():
    dist.init_process_group("gloo")
    stand_in_for_flash_attention()
    for family in FAMILIES:
        compare(family, dist.new_group([0, 1]))
        print(f"SAME {family}", flush=True)
    dist.destroy_process_group()


main()
