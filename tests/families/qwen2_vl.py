"""Qwen2-VL as a family from outside: frames have an order and no time."""

from videossr_verl.families import qwen2_5_vl

MODEL_TYPES = ("qwen2_vl",)
PROCESSOR = "Qwen2VLProcessor"
FACTOR = 28
TOKENS_OF_A_TIME = 0
TEXT_GOES_ON = False
TEXT = {"qkv_bias": True, "qk_norm": False}
VISION = {"gated_mlp": False, "layer_norms": True, "stem_bias": False}
TEXT_ARCHITECTURE = None
TINY_TEXT = qwen2_5_vl.TINY_TEXT
TINY_VISION = {"patch_size": 14, "embed_dim": 96, "mlp_ratio": 3}

resize_limits = qwen2_5_vl.resize_limits


def shown_times(ids, positions, grids, processor):
    return None


def vision_shape(vision):
    return {
        "hidden": vision.embed_dim,
        "intermediate": int(vision.embed_dim * vision.mlp_ratio),
        "depth": vision.depth,
        "patch": vision.patch_size,
        "merge": vision.spatial_merge_size,
        "temporal_patch": vision.temporal_patch_size,
    }


def model_classes(model_type):
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    return Qwen2VLConfig, Qwen2VLForConditionalGeneration


def tiny_processor(tokenizer):
    from transformers import Qwen2VLProcessor

    theirs = qwen2_5_vl.tiny_processor(tokenizer)
    return Qwen2VLProcessor(
        image_processor=theirs.image_processor,
        video_processor=theirs.video_processor,
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
    )
