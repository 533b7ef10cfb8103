"""Bytes, normalised late, are what the processor would have returned, to the last bit."""

import pickle

import pytest
import torch
from transformers import AutoProcessor

from videossr_verl.families import families
from videossr_verl.prompt.pixels import RAW, PromptPixels, raw_pixels
from videossr_verl.tiny.model import build_processor
from videossr_verl.tiny.tokenizer import train_tokenizer

MEANS = {"clip": [0.48145466, 0.4578275, 0.40821073], "half": [0.5, 0.5, 0.5]}
STDS = {"clip": [0.26862954, 0.26130258, 0.27577711], "half": [0.5, 0.5, 0.5]}


@pytest.fixture(scope="module", params=["qwen2_5_vl", "qwen3_vl"])
def processor(request):
    return build_processor(request.param, train_tokenizer(["order"] * 4, 512))


def process(processor, videos):
    text = "<|vision_start|><|video_pad|><|vision_end|>" * len(videos)
    metadata = [{"fps": 2.0, "frames_indices": list(range(len(v))), "total_num_frames": len(v)} for v in videos]

    def call(flags):
        return processor(
            text=[text],
            videos=videos,
            video_metadata=metadata,
            do_sample_frames=False,
            return_tensors="pt",
            **flags,
        )

    return call


# 50 x 70 is no multiple of any patch: the processor resizes, and still leaves whole numbers.
@pytest.mark.parametrize("sizes", [[(4, 56, 84)], [(7, 56, 84)], [(6, 50, 70), (2, 64, 64)]], ids=str)
@pytest.mark.parametrize("norm", MEANS)
def test_equal_to_the_processors_floats(processor, sizes, norm):
    video = processor.video_processor
    video.image_mean, video.image_std = MEANS[norm], STDS[norm]
    generator = torch.Generator().manual_seed(0)
    videos = [torch.randint(0, 256, (t, 3, h, w), dtype=torch.uint8, generator=generator) for t, h, w in sizes]
    floats = process(processor, videos)({})
    ours = raw_pixels(processor, process(processor, videos))
    pixels = ours["pixel_values_videos"]
    assert isinstance(pixels, PromptPixels)
    assert pixels.patches.dtype == torch.uint8
    assert torch.equal(pixels.normalised(pixels.patches), floats["pixel_values_videos"])
    assert torch.equal(ours["input_ids"], floats["input_ids"])
    assert torch.equal(ours["video_grid_thw"], floats["video_grid_thw"])
    sent = pickle.loads(pickle.dumps(pixels))
    assert torch.equal(sent.normalised(sent.patches), floats["pixel_values_videos"])


@pytest.mark.parametrize("family", families())
def test_one_frame_twice_is_an_image_to_the_vision_tower(family):
    """So masked video prediction may show its candidates as either."""
    processor = build_processor(family, train_tokenizer(["order"] * 4, 512))
    side = 4 * processor.video_processor.patch_size
    frame = torch.randint(0, 256, (3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    as_video = process(processor, [torch.stack([frame, frame])])({})
    text = "<|vision_start|><|image_pad|><|vision_end|>"
    as_image = processor(text=[text], images=[frame], return_tensors="pt")
    assert torch.equal(as_video["pixel_values_videos"], as_image["pixel_values"])
    assert torch.equal(as_video["video_grid_thw"], as_image["image_grid_thw"])


@pytest.mark.parametrize("setting", [{"do_normalize": False}, {"do_rescale": False}])
def test_a_processor_with_another_normalisation_keeps_its_floats(processor, setting):
    for name, value in setting.items():
        setattr(processor.video_processor, name, value)
    asked = []
    raw_pixels(processor, lambda flags: asked.append(flags) or {})
    assert asked == [{}]
    for name in setting:
        setattr(processor.video_processor, name, True)


def test_a_processor_that_ignores_the_flags_keeps_its_floats(processor):
    floats = {"pixel_values_videos": torch.zeros(4, 6)}
    asked = []
    assert raw_pixels(processor, lambda flags: asked.append(flags) or floats) is floats
    assert asked == [RAW, {}]


def test_no_video_processor_no_bytes():
    assert raw_pixels(AutoProcessor, lambda flags: {"flags": flags}) == {"flags": {}}
