"""Frames that look alike have similar vectors: the built-in embedding on real clips, CLIP as a real CLIPModel."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from videossr_verl.errors import BadInput
from videossr_verl.video.decode import decode
from videossr_verl.video.embedding import (
    BUILT_IN,
    KAPPA,
    _load_clip,
    default_kappa,
    describe_embedding,
    embed,
    similarity,
)


@pytest.fixture(scope="module")
def clip_model(tmp_path_factory):
    """A small random CLIP checkpoint."""
    folder = tmp_path_factory.mktemp("clip")
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    text = small | {"vocab_size": 99, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = CLIPConfig(
        text_config=text, vision_config=small | {"image_size": 224, "patch_size": 32}, projection_dim=16
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def cut(real_clips):
    """Frames (8, H, W, 3) of the sports clip, a quarter of a second apart: a cut lies between the 5th and the 6th."""
    return decode(real_clips["bikes"], np.arange(8) / 4, (112, 252))


def test_unit_vectors(cut):
    vectors = embed(cut)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.diag(similarity(vectors)), 1, atol=1e-4)


def test_a_cut_is_where_a_person_sees_it(cut):
    alike = similarity(embed(cut))
    neighbours = np.diag(alike, 1)
    assert neighbours.argmin() == 4
    assert neighbours[4] < 0.3 < 0.75 < np.delete(neighbours, 4).min()


def test_what_does_not_count_as_change(cut):
    """Noise of a camera, a little more light, another size."""
    frame = cut[:1]
    noisy = np.clip(frame + np.random.default_rng(0).normal(0, 4, frame.shape), 0, 255).astype(np.uint8)
    lighter = np.clip(frame * 1.05, 0, 255).astype(np.uint8)
    for other in (noisy, lighter, np.repeat(np.repeat(frame, 2, axis=1), 2, axis=2)):
        assert similarity(np.concatenate([embed(frame), embed(other)]))[0, 1] > KAPPA


def test_what_counts_as_change(cut):
    """Another place of what is shown, other colours, another picture."""
    frame = cut[:1]
    for other in (frame[:, :, ::-1], frame[..., [2, 0, 1]], cut[5:6]):
        assert similarity(np.concatenate([embed(frame), embed(other)]))[0, 1] < KAPPA


def flat(colour, noise=0.0, seed=0):
    picture = colour + np.random.default_rng(seed).normal(0, noise, (1, 60, 80, 3))
    return np.clip(picture, 0, 255).round().astype(np.uint8)


def test_pictures_without_outlines():
    alike = similarity(embed(np.concatenate([flat([0] * 3), flat([0] * 3), flat([255] * 3), flat([200, 0, 0])])))
    assert alike[0, 1] == 1
    assert max(alike[0, 2], alike[0, 3], alike[2, 3]) < KAPPA


@given(st.integers(0, 255), st.floats(0, 3), st.floats(0, 3), st.integers(0, 1000))
def test_noise_does_not_tell_flat_pictures_apart(level, first, second, seed):
    """As of black, a fade or the sky: HOG alone finds nothing in common in the noise of two of them."""
    pair = [flat([level] * 3, first, seed), flat([level] * 3, second, seed + 1)]
    assert similarity(embed(np.concatenate(pair)))[0, 1] > KAPPA


def test_a_title_card_and_a_dark_scene(cut):
    """A still card is one picture in spite of noise and not black; a picture stays itself in the dark."""
    card = np.zeros((1, 112, 252, 3))
    card[:, 40:60, 60:190:10] = 220
    noisy = [np.clip(card + np.random.default_rng(s).normal(0, 2, card.shape), 0, 255).astype(np.uint8) for s in (0, 1)]
    alike = similarity(embed(np.concatenate([*noisy, np.zeros_like(noisy[0])])))
    assert alike[0, 1] > 0.99
    assert alike[0, 2] < KAPPA
    dark = (cut[[0, 5]] * 0.3).astype(np.uint8)
    assert similarity(embed(dark))[0, 1] < KAPPA


def test_clip_is_the_models_image_features(clip_model, cut):
    frames = np.concatenate([cut] * 9)  # more than one batch
    model, processor = CLIPModel.from_pretrained(clip_model), CLIPImageProcessor.from_pretrained(clip_model)
    with torch.inference_mode():
        pixels = processor(images=list(frames), return_tensors="pt")["pixel_values"]
        features = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
    expected = torch.nn.functional.normalize(features, dim=-1).numpy()
    np.testing.assert_allclose(embed(frames, clip_model), expected, atol=1e-5)


def test_a_gpu_is_used_where_there_is_one_unless_models_train_on_it(clip_model, cut, monkeypatch):
    moved = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.nn.Module, "to", lambda model, device: moved.append(device))
    _load_clip.cache_clear()
    try:
        embed(cut, clip_model, use_gpus=False)
        describe_embedding(clip_model)
        assert moved == []
        embed(cut, clip_model)
        assert moved == ["cuda:0"]
    finally:
        _load_clip.cache_clear()


def test_the_description_tells_weights_apart(clip_model, tmp_path):
    assert describe_embedding(BUILT_IN)["name"] == BUILT_IN
    first = describe_embedding(clip_model)
    assert first["name"] == clip_model
    model = CLIPModel.from_pretrained(clip_model)
    torch.nn.init.zeros_(model.vision_model.embeddings.class_embedding)
    model.save_pretrained(tmp_path)
    CLIPImageProcessor().save_pretrained(tmp_path)
    assert describe_embedding(str(tmp_path))["weights"] != first["weights"]


def test_each_embedding_has_its_own_kappa(clip_model):
    assert default_kappa(BUILT_IN) != default_kappa(clip_model)


def test_what_is_no_clip_model(tmp_path, tiny_model):
    for name in ("no/such-model", str(tmp_path), str(tiny_model)):
        with pytest.raises(BadInput, match=r"neither 'built_in' nor a CLIP model that can be loaded|give a CLIP"):
            embed(np.zeros((1, 8, 8, 3), np.uint8), name)
