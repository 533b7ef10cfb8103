"""Counted prompt lengths against what the processors of both families really return."""

import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videossr_verl.errors import BadInput
from videossr_verl.prompt.render import video_metadata
from videossr_verl.prompt.tokens import PromptTokenCounter, load_processor, patch_factor
from videossr_verl.tiny.model import build_processor
from videossr_verl.tiny.tokenizer import train_tokenizer
from videossr_verl.video.size import target_size
from videossr_verl.video.specs import ImageSpec, VideoSpec

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
_tokenizer = train_tokenizer(["Count the shapes. <1.2 seconds> <3.4 seconds> answer 1,2,3"] * 10, 512)
_processors = {family: build_processor(family, _tokenizer) for family in FAMILIES}


@st.composite
def videos(draw):
    frames = 2 * draw(st.integers(1, 5))
    steps = draw(st.lists(st.floats(0.004, 90.0), min_size=frames - 1, max_size=frames - 1))
    clock = tuple(np.cumsum([0.0, *steps]).tolist())
    height, width = draw(st.integers(40, 200)), draw(st.integers(40, 200))
    return VideoSpec("v.mp4", clock, clock, width, height, 56 * 56, 112 * 112, "any")


def real_length(processor, prompt, specs, images=()):
    parts = []
    for piece in re.split("(<video>|<image>)", prompt[-1]["content"]):
        kind = piece.strip("<>") if piece in ("<video>", "<image>") else "text"
        parts += [{"type": kind, "text": piece} if kind == "text" else {"type": kind}] if piece else []
    text = processor.apply_chat_template(
        [prompt[0], {"role": "user", "content": parts}], tokenize=False, add_generation_prompt=True
    )
    frames = []
    for spec in specs:
        size = target_size(spec.height, spec.width, spec.min_pixels, spec.max_pixels, patch_factor(processor))
        frames.append(torch.randint(0, 256, (len(spec.times), 3, *size), dtype=torch.uint8))
    sizes = [target_size(i.height, i.width, i.min_pixels, i.max_pixels, patch_factor(processor)) for i in images]
    inputs = processor(
        text=[text],
        images=[torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in sizes] or None,
        videos=frames,
        video_metadata=[video_metadata(spec.clock) for spec in specs],
        do_sample_frames=False,
        return_tensors="pt",
    )
    return inputs["input_ids"].shape[1]


def prompt_for(specs):
    places = "".join(f"Clip {i}: <video>\n" for i in range(1, len(specs) + 1))
    return [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": places + "In what order?"},
    ]


@pytest.mark.parametrize("family", FAMILIES)
@given(specs=st.lists(videos(), min_size=1, max_size=3))
@settings(max_examples=12)
def test_count_equals_the_processors_own(family, specs):
    processor, prompt = _processors[family], prompt_for(specs)
    counted = PromptTokenCounter(processor).count(prompt, [spec.to_row() for spec in specs])
    assert counted == real_length(processor, prompt, specs)


@st.composite
def images(draw):
    return ImageSpec("v.mp4", 1.0, draw(st.integers(40, 200)), draw(st.integers(40, 200)), 56 * 56, 112 * 112)


@pytest.mark.parametrize("family", FAMILIES)
@given(specs=st.lists(videos(), min_size=1, max_size=2), stills=st.lists(images(), min_size=1, max_size=4))
@settings(max_examples=12)
def test_count_with_images_between_and_after_videos(family, specs, stills):
    processor = _processors[family]
    prompt = prompt_for(specs)
    prompt[-1]["content"] = (
        "<image>\n" + prompt[-1]["content"] + "".join(f"{i}: <image>\n" for i in range(1, len(stills)))
    )
    counted = PromptTokenCounter(processor).count(prompt, [s.to_row() for s in specs], [s.to_row() for s in stills])
    assert counted == real_length(processor, prompt, specs, stills)


def test_places_and_media_must_agree():
    counter, still = PromptTokenCounter(_processors["qwen3_vl"]), ImageSpec("v.mp4", 0.0, 64, 64, 3136, 12544)
    with pytest.raises(ValueError, match="the prompt has 0 <image> places for 1 images"):
        counter.count([{"role": "user", "content": "What?"}], [], [still.to_row()])


def test_count_when_the_processor_resizes_again():
    """Class defaults of Qwen3-VL want 128 * 32 * 32 pixels a video or more; a short small clip has fewer."""
    processor = build_processor("qwen3_vl", _tokenizer)
    processor.video_processor.size["shortest_edge"] = 128 * 32 * 32
    spec = VideoSpec("v.mp4", (0.0, 0.5), (0.0, 0.5), 64, 64, 1024, 4096, "any")
    counted = PromptTokenCounter(processor).count(prompt_for([spec]), [spec.to_row()])
    assert counted == real_length(processor, prompt_for([spec]), [spec])
    assert counted > PromptTokenCounter(_processors["qwen3_vl"]).count(prompt_for([spec]), [spec.to_row()])


def test_keys_differ_by_family_tokenizer_and_template():
    keys = [PromptTokenCounter(_processors[family]).key for family in FAMILIES]
    other = build_processor("qwen3_vl", train_tokenizer(["something else entirely"] * 10, 400))
    keys += [
        PromptTokenCounter(other).key,
        PromptTokenCounter(_processors["qwen3_vl"], {"enable_thinking": False}).key,
    ]
    assert len(set(keys)) == 4
    assert keys[1] == PromptTokenCounter(build_processor("qwen3_vl", _tokenizer)).key
    assert keys[0].startswith("Qwen2_5_VLProcessor-28-")
    assert keys[1].startswith("Qwen3VLProcessor-32-")


def test_wrong_number_of_videos_is_refused():
    spec = VideoSpec("v.mp4", (0.0, 0.5), (0.0, 0.5), 64, 64, 1024, 4096, "any")
    with pytest.raises(ValueError, match="1 <video> places for 2 videos"):
        PromptTokenCounter(_processors["qwen3_vl"]).count(prompt_for([spec]), [spec.to_row()] * 2)


def test_model_folder_without_processor(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(BadInput, match=str(tmp_path)):
        load_processor(str(tmp_path))
    with pytest.raises(BadInput, match="nowhere"):
        load_processor(str(tmp_path / "nowhere"))
