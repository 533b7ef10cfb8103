"""Run by test_ulysses.py on two ranks: logits of packed video prompts by verl's Ulysses, by verl on one GPU, and by
transformers alone, one prompt after the other.
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

from videossr_verl.patches.correctness.packed_attention import NAME

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


def prompts(model):
    """Two prompts, a video in each: their token ids, and what else transformers takes."""
    steps, rows, columns = GRID
    size, video = model.config.vision_config.patch_size, [191] * (rows * columns // 4)
    for start, end in ((5, 13), (6, 17)):
        ids = torch.tensor([[*range(5, 6 + start % 2), 192, *video, 193, *range(7, end)]])
        pixels = torch.randn(steps * rows * columns, 3 * 2 * size * size)
        yield ids, {"pixel_values_videos": pixels, "video_grid_thw": torch.tensor([GRID])}


def compare(family, group):
    config_class, model_class, text, vision = FAMILIES[family]
    torch.manual_seed(0)
    config = config_class(text_config=text, vision_config=vision, tie_word_embeddings=False, **SPECIAL)
    config._attn_implementation = NAME
    model = model_class(config).eval()
    assert (
        model.model.language_model.config._attn_implementation == model.model.visual.config._attn_implementation == NAME
    )
    both = list(prompts(model))
    places = [torch.arange(ids.shape[1])[None, None].expand(4, 1, -1) for ids, _ in both]
    set_ulysses_sequence_parallel_group(None)
    with torch.no_grad():
        model.set_attn_implementation("sdpa")
        alone = [
            model(input_ids=ids, position_ids=at, use_cache=False, **shown).logits[0]
            for (ids, shown), at in zip(both, places, strict=True)
        ]
        model.set_attn_implementation(NAME)
        monkey_patch.apply_monkey_patch(model, ulysses_sp_size=2, use_remove_padding=True)
        ids, at = torch.cat([ids for ids, _ in both], 1), torch.cat(places, 2)
        shown = {name: torch.cat([shown[name] for _, shown in both]) for name in both[0][1]}
        shown |= {"attention_mask": None, "use_cache": False}
        whole = model(input_ids=ids, position_ids=at, **shown).logits[0]
        set_ulysses_sequence_parallel_group(group)
        padded, at, padding = ulysses_pad(ids, position_ids_rmpad=at, sp_size=2)
        part = model(input_ids=padded, position_ids=at, **shown).logits[0].contiguous()
    torch.testing.assert_close(whole, torch.cat(alone), atol=1e-5, rtol=1e-5)
    parts = [torch.empty_like(part) for _ in range(2)]
    dist.all_gather(parts, part, group=group)
    assert part.shape[0] == (ids.shape[1] + padding) // 2
    torch.testing.assert_close(torch.cat(parts)[: ids.shape[1]], whole, atol=1e-5, rtol=1e-5)


def main():
    dist.init_process_group("gloo")
    qwen2_vl.fa_peft_integration_check = lambda q, k, v, **_: (q, k, v)  # it casts float32 to bfloat16
    for family in FAMILIES:
        compare(family, dist.new_group([0, 1]))
        print(f"SAME {family}", flush=True)
    dist.destroy_process_group()


main()
