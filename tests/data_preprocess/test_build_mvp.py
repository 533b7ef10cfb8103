"""Masked video prediction through whole builds: alone, with CLIP, with images, and what is refused."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from data_preprocess.build import BuildSettings, build
from videossr_verl.errors import BadInput
from videossr_verl.prompt.render import render
from videossr_verl.tasks import draw
from videossr_verl.tiny.generated_videos import generate_frames, write_video
from videossr_verl.video.specs import ImageSpec, VideoSpec

KNOBS = "num_key_frames: 6, num_masked: 2, num_distractors: 2"
MVP = {"count": 8, "test_count": 2, "test_share": 0.3}


@pytest.fixture
def preset(tmp_path):
    """A preset file with more knobs of the task -> its path."""

    def write(knobs="", fps=4):
        path = tmp_path / "gaps.yaml"
        path.write_text(
            "clip: {min_pixels: 784, max_pixels: 3136}\ntasks:\n  masked_video_prediction:\n"
            f"    clip: {{fps: {fps}}}\n    difficulty: {{{KNOBS}{knobs and ', ' + knobs}}}\n"
        )
        return str(path)

    return write


def rows_of(folder):
    return pq.read_table(folder / "train.parquet").to_pylist()


def test_alone_and_with_another_number_of_workers(preset, corpus_folder, tmp_path):
    for name, workers in (("a", 1), ("b", 2)):
        build(BuildSettings((str(corpus_folder),), str(tmp_path / name), preset(), workers=workers, **MVP))
    descriptions = [json.loads((tmp_path / name / "dataset.json").read_text()) for name in ("a", "b")]
    assert descriptions[0] == descriptions[1]
    assert descriptions[0]["embeddings"]["built_in"]["name"] == "built_in"
    task = descriptions[0]["tasks"]["masked_video_prediction"]
    assert (task["clip"]["fps"], task["samples"]) == (4, {"train": 8, "test": 2})
    assert task["chance"] == pytest.approx(0.375)
    assert (tmp_path / "a" / "train.parquet").read_bytes() == (tmp_path / "b" / "train.parquet").read_bytes()


def test_images_show_the_same_pixels_as_two_frame_videos(preset, corpus_folder, tmp_path):
    """The pool's true frames lie in the gap: re-inserted, the pixels are those of the clip in the order of time."""
    for kind in ("video", "image"):
        settings = BuildSettings((str(corpus_folder),), str(tmp_path / kind), preset(f"candidates: {kind}"), **MVP)
        build(settings)
    for row in rows_of(tmp_path / "image"):
        videos, images = [VideoSpec.from_row(v) for v in row["videos"]], [ImageSpec.from_row(i) for i in row["images"]]
        assert (len(videos), len(images)) == (2, 4)
        assert row["prompt"][1]["content"].count("<image>") == 4
        (shown, stills) = render(videos, images, corpus_folder, 28)
        true = [images["ABCD".index(letter)] for letter in row["reward_model"]["ground_truth"]]
        times = [*videos[0].times, *(image.time for image in true), *videos[1].times]
        assert times == sorted(times)
        whole = VideoSpec(**{**vars(videos[0]), "times": tuple(times), "clock": tuple(times)})
        ((frames, _),), _ = render([whole], [], corpus_folder, 28)
        pictures = [np.asarray(stills["ABCD".index(letter)]) for letter in row["reward_model"]["ground_truth"]]
        again = [*shown[0][0], *(torch.from_numpy(p.copy()).permute(2, 0, 1) for p in pictures), *shown[1][0]]
        assert torch.equal(torch.stack(again), frames)
    for row in rows_of(tmp_path / "video"):
        pairs = render([VideoSpec.from_row(v) for v in row["videos"][2:]], [], corpus_folder, 28)[0]
        assert all(torch.equal(frames[0], frames[1]) for frames, _ in pairs)


def test_no_candidate_equals_a_shown_frame_of_videos_with_black_parts(preset, tmp_path):
    """In the pixels that a model is shown. Each black part has a faint glow, which HOG alone takes for a picture."""
    (tmp_path / "videos").mkdir()
    for seed in range(2):
        generator = np.random.default_rng(seed)
        frames = generate_frames(generator, 144, 12.0, 64, 64).astype(float)
        for start in (20, 60, 100):
            frames[start : start + 24] = np.kron(generator.uniform(0, 4, (8, 4, 4, 1)), np.ones((3, 16, 16, 3)))
        write_video(tmp_path / "videos" / f"{seed}.mp4", np.clip(frames, 0, 255).round().astype(np.uint8), 12)
    settings = {"count": 8, "test_count": 0, "workers": 1}
    build(BuildSettings((str(tmp_path / "videos"),), str(tmp_path / "out"), preset("kappa: 0.98"), **settings))
    for row in rows_of(tmp_path / "out"):
        specs = [VideoSpec.from_row(v) for v in row["videos"]]
        videos = [v.numpy().astype(float) for v, _ in render(specs, [], tmp_path / "videos", 28)[0]]
        shown, candidates = np.concatenate(videos[:2]), np.stack([video[0] for video in videos[2:]])
        for i, candidate in enumerate(candidates):
            others = np.concatenate([shown, np.delete(candidates, i, axis=0)])
            assert np.abs(others - candidate).mean(axis=(1, 2, 3)).min() > 2  # of 255


def test_clip_decides_by_its_weights(preset, corpus_folder, tmp_path):
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    text = small | {"vocab_size": 99, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    vision = small | {"image_size": 224, "patch_size": 32}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).save_pretrained(tmp_path / "clip")
    CLIPImageProcessor().save_pretrained(tmp_path / "clip")
    knobs = preset("kappa: 0.9999")  # random weights tell frames apart by little
    settings = BuildSettings(
        (str(corpus_folder),), str(tmp_path / "out"), knobs, embedding=str(tmp_path / "clip"), workers=1, **MVP
    )
    result = build(settings)
    (what,) = result["embeddings"].values()
    assert what["name"] == str(tmp_path / "clip")
    assert len(what["weights"]) == 16
    assert result["tasks"]["masked_video_prediction"]["difficulty"]["embedding"] == str(tmp_path / "clip")


def test_kept_embeddings_serve_the_next_build(preset, corpus_folder, tmp_path):
    build(
        BuildSettings((str(corpus_folder),), str(tmp_path / "a"), preset(), embedding_folder=str(tmp_path / "e"), **MVP)
    )
    kept = {path: path.read_bytes() for path in (tmp_path / "e").rglob("*.npy")}
    assert len(kept) == 6
    other = preset("kappa: 0.96")
    build(BuildSettings((str(corpus_folder),), str(tmp_path / "b"), other, embedding_folder=str(tmp_path / "e"), **MVP))
    assert {path: path.read_bytes() for path in (tmp_path / "e").rglob("*.npy")} == kept


def test_videos_that_hardly_change_are_rejected_with_that_reason(preset, corpus_folder, tmp_path):
    for source in corpus_folder.glob("generated*.mp4"):
        (tmp_path / "videos").mkdir(exist_ok=True)
        (tmp_path / "videos" / source.name).write_bytes(source.read_bytes())
    write_video(tmp_path / "videos" / "still.mp4", np.full((40, 64, 64, 3), 90, np.uint8), 12)
    build(BuildSettings((str(tmp_path / "videos"),), str(tmp_path / "out"), preset(), count=5, test_count=0))
    lines = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    of_still = [line for line in lines if line["video"] == "still.mp4"]
    assert {line.get("task") for line in of_still} == {None, "masked_video_prediction"}  # of the task, of the video
    assert {line["reason"] for line in of_still} == {"too_little_change"}
    assert all(re.search(r"only 1 of its 1[34] frames differ", line["detail"]) for line in of_still)


def test_a_video_too_short_for_one_task_serves_the_other(corpus_folder, tmp_path, capsys):
    """2.5 seconds give frames for a jigsaw, and too few key frames at any rate."""
    path = tmp_path / "both.yaml"
    path.write_text(
        "clip: {num_frames: 8, min_pixels: 784, max_pixels: 3136}\n"
        "tasks:\n  temporal_jigsaw: {difficulty: {num_clips: 3}}\n  masked_video_prediction: {}\n"
    )
    settings = {"sources": (str(corpus_folder),), "preset": str(path), "test_count": 0}
    result = build(BuildSettings(out=str(tmp_path / "out"), **settings))
    said = capsys.readouterr().err
    for knobs in ("num_key_frames 6", "num_masked 2", "num_distractors 1", "fps 4 to 16", "min_frames 64"):
        assert knobs in result["left_out"]["masked_video_prediction"]
    assert "its settings in preset mvp_short would work for 6 of the 6 videos tried" in said
    assert {task: n["samples"]["train"] for task, n in result["tasks"].items()} == {
        "temporal_jigsaw": 6,
        "masked_video_prediction": 0,
    }
    with pytest.raises(
        BadInput, match=r"possible are 0 of 3 .* of masked_video_prediction.* in preset mvp_short would"
    ):
        build(BuildSettings(out=str(tmp_path / "asked for"), count=6, **settings))


def test_ordinary_short_videos_can_carry_it(real_clips, tmp_path):
    """Four real clips of 4 to 10 seconds: each carries the preset for short videos."""
    sources = tuple(map(str, real_clips.values()))
    result = build(BuildSettings(sources, str(tmp_path / "out"), "mvp_short", test_count=0, embedding="built_in"))
    assert result["videos"]["used"]["train"] == result["samples"]["train"] == 4


@pytest.mark.parametrize("preset_name", ["mvp", "videossr_mvp"])
def test_a_clip_model_that_is_not_there_is_told_before_any_video_is_read(
    preset_name, corpus_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(draw, "decode", None)
    with pytest.raises(
        BadInput, match="embedding 'openai/clip-vit-base-patch32' is neither 'built_in' nor a CLIP model"
    ):
        build(BuildSettings((str(corpus_folder),), str(tmp_path / "out"), preset_name))
    assert not (tmp_path / "out").exists()
