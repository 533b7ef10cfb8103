"""Exports: what loaders that know nothing of this package make of them, and what is refused."""

import json
import re
import shutil
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from omegaconf import OmegaConf
from PIL import Image
from verl.utils.dataset.rl_dataset import RLHFDataset
from verl.utils.tokenizer import build_multimodal_processor_inputs, hf_processor, hf_tokenizer

import reward_fns
from data_preprocess.build import BuildSettings, build
from data_preprocess.export.layouts import LAYOUTS
from data_preprocess.export.media import FORMATS
from data_preprocess.export.write import ExportSettings, export
from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.prompt.render import render
from videossr_verl.tiny.model import build_processor
from videossr_verl.train.dataset import PretextDataset
from videossr_verl.video.specs import ImageSpec, VideoSpec

PRESET = """
clip: {min_pixels: 16384, max_pixels: 20000}
tasks:
  masked_video_prediction:
    clip: {fps: 4}
    difficulty: {num_key_frames: 6, num_masked: 2, num_distractors: 2, candidates: image}
"""
MARK = re.compile(r"<([\d.]+) seconds>")  # Qwen3-VL's, before the two frames of a step
LARGE = """
clip: {num_frames: 16, min_pixels: 16384, max_pixels: 20000}
tasks:
  temporal_jigsaw: {difficulty: {num_clips: 3}}
  anomaly_grounding: {difficulty: {min_length: 2, max_length: 4}}
"""


@pytest.fixture(scope="module")
def with_images(corpus_folder, tmp_path_factory):
    """A dataset whose prompts have videos and images."""
    return built(PRESET, corpus_folder, tmp_path_factory.mktemp("with images"))


@pytest.fixture(scope="module")
def large(corpus_folder, tmp_path_factory):
    """A dataset whose frames are as large as those for real models."""
    return built(LARGE, corpus_folder, tmp_path_factory.mktemp("large"))


def built(preset, corpus, folder):
    (folder / "preset.yaml").write_text(preset)
    build(BuildSettings((str(corpus),), str(folder / "out"), str(folder / "preset.yaml"), count=4, test_count=1))
    return folder / "out"


@pytest.fixture(scope="module", params=["with videos", "with images"])
def dataset(request, dataset_folder, with_images, large):
    return {"with videos": dataset_folder, "with images": with_images, "large": large}[request.param]


def rows_of(dataset, split="train"):
    return pq.read_table(dataset / f"{split}.parquet").to_pylist()


def shown(row, root, factor=28):
    """What the model is shown of a row: its videos (T, H, W, 3) with their clocks, and its images."""
    videos, images = map(VideoSpec.from_row, row["videos"]), map(ImageSpec.from_row, row["images"] or ())
    specs = list(videos)
    frames, pictures = render(specs, list(images), str(root), factor)
    return [(f.numpy().transpose(0, 2, 3, 1), s.clock) for (f, _), s in zip(frames, specs, strict=True)], pictures


def inputs_of(dataset_class, file, tokenizer, processor, **settings):
    """The processor's inputs of each row, as verl's agent loop makes them from a dataset class."""
    config = {"max_prompt_length": 2048, "filter_overlong_prompts": False, "image_patch_size": None, **settings}
    config = OmegaConf.create(config)
    rows = dataset_class([str(file)], tokenizer, config, processor)
    patch = processor.image_processor.patch_size
    for row in rows:
        media = dataset_class._process_multi_modal_info(row["raw_prompt"], patch, config)
        text = processor.apply_chat_template(row["raw_prompt"], add_generation_prompt=True, tokenize=False)
        images, videos = media[0] or None, media[1] or None
        yield build_multimodal_processor_inputs(processor, text=[text], images=images, videos=videos)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("dataset", "family"),
    [("with videos", "qwen2_5_vl"), ("with images", "qwen2_5_vl"), ("large", "qwen2_5_vl"), ("large", "qwen3_vl")],
    indirect=["dataset"],
)
def test_verl_without_this_package_shows_the_model_the_same(form, family, dataset, corpus_folder, tiny_model, tmp_path):
    export(ExportSettings(dataset, tmp_path / "out", "verl", form, family, ("train",), limit=8, workers=1))
    shutil.move(tmp_path / "out" / "train.parquet", tmp_path / "rows.parquet")
    tokenizer = hf_tokenizer(str(tiny_model))
    processor = hf_processor(str(tiny_model)) if family == "qwen2_5_vl" else build_processor(family, tokenizer)
    exported = list(inputs_of(RLHFDataset, tmp_path / "rows.parquet", tokenizer, processor))
    ours = inputs_of(PretextDataset, dataset / "train.parquet", tokenizer, processor, data_root=str(corpus_folder))
    assert len(exported) == min(8, len(rows_of(dataset)))
    for one, other in zip(exported, ours, strict=False):
        texts = [tokenizer.decode(inputs["input_ids"][0]) for inputs in (one, other)]
        assert len({MARK.sub("<t seconds>", text) for text in texts}) == 1
        marks = [[float(time) for time in MARK.findall(text)] for text in texts]
        assert bool(marks[0]) == (family == "qwen3_vl")
        assert np.allclose(*marks, atol=0.11)  # in an export, frames are evenly spaced
        for key in ("video_grid_thw", "image_grid_thw"):
            assert (key in one) == (key in other)
            assert key not in one or one[key].tolist() == other[key].tolist()
        if "second_per_grid_ts" in other:
            assert np.allclose(one["second_per_grid_ts"], other["second_per_grid_ts"], atol=0.02)


@pytest.mark.parametrize("form", FORMATS)
def test_files_show_what_the_model_is_shown(form, dataset, corpus_folder, tmp_path):
    out = tmp_path / "out"
    export(ExportSettings(dataset, out, "ms-swift", form, splits=("train",), limit=4, workers=2))
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    assert len(rows) == 4
    for row, exported in zip(rows_of(dataset), rows, strict=False):
        videos, pictures = shown(row, corpus_folder)
        for (frames, clock), files in zip(videos, exported["videos"], strict=True):
            if form == "mp4":
                with av.open(files) as container:
                    found = [(f.to_ndarray(format="rgb24"), f.time) for f in container.decode(video=0)]
                assert np.allclose([time for _, time in found], np.array(clock) - clock[0], atol=1e-3)
                found = [frame for frame, _ in found]
            else:
                found = [np.asarray(Image.open(file)) for file in files]
            assert np.shape(found) == frames.shape
            assert np.abs(np.array(found, float) - frames).mean() < 4
        for picture, file in zip(pictures, exported["images"], strict=True):
            assert np.abs(np.asarray(Image.open(file), float) - np.asarray(picture)).mean() < 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_hold_question_and_answer_and_are_read_by_the_datasets_library(layout, dataset_folder, tmp_path):
    out = tmp_path / "out"
    export(ExportSettings(dataset_folder, out, layout, "frames", limit=6, workers=1))
    (file,) = (path for path in out.iterdir() if path.stem == "train")
    kind = "parquet" if file.suffix == ".parquet" else "json"
    loaded = load_dataset(kind, data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == 6
    for row, exported in zip(rows_of(dataset_folder), loaded, strict=False):
        text = json.dumps(exported, ensure_ascii=False)
        question, truth = row["prompt"][1]["content"], row["reward_model"]["ground_truth"]
        assert json.dumps(question.rpartition("<video>")[2], ensure_ascii=False)[1:-1] in text
        assert json.dumps(truth)[1:-1] in text
        files = re.findall(r'"(/[^"]+\.jpg)"', text)
        assert len(files) == sum(len(video["times"]) for video in row["videos"])
        assert all(Path(name).is_file() for name in files)
        if layout != "llama-factory":
            extra = exported["extra_info"]
            extra = json.loads(extra) if isinstance(extra, str) else extra
            assert reward_fns.compute_score(exported["data_source"], truth, truth, extra)["acc"] == 1


def test_trl_is_told_the_time_of_each_frame(dataset_folder, tmp_path):
    export(ExportSettings(dataset_folder, tmp_path / "out", "trl", "frames", splits=("train",), limit=3, workers=1))
    for row, line in zip(rows_of(dataset_folder), (tmp_path / "out" / "train.jsonl").open(), strict=False):
        exported = json.loads(line)
        parts = [part for message in exported["prompt"] for part in message["content"]]
        times = [part["text"] for part in parts if MARK.fullmatch(part.get("text", ""))]
        assert times == [f"<{time:.1f} seconds>" for video in row["videos"] for time in video["clock"]]
        assert sum(part["type"] == "image" for part in parts) == len(exported["images"]) == len(times)


def test_llama_factory_is_told_of_both_splits(dataset_folder, tmp_path):
    export(ExportSettings(dataset_folder, tmp_path / "out", "llama-factory", limit=2, workers=1))
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert {name: one["file_name"] for name, one in info.items()} == {
        "videossr_train": "train.json",
        "videossr_test": "test.json",
    }
    row = json.loads((tmp_path / "out" / "train.json").read_text())[0]
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]


def test_the_verb_says_what_there_is_and_replaces_an_earlier_export(dataset_folder, tmp_path, capsys):
    command = ["export", str(dataset_folder), "--out", str(tmp_path / "out"), "--layout", "easyr1", "--limit", "2"]
    command += ["--workers", "1"]
    assert main([*command, "--media-root", "/elsewhere/it"]) == 0
    row = json.loads((tmp_path / "out" / "train.jsonl").read_text().splitlines()[0])
    assert row["videos"][0] == "/elsewhere/it/media/train/000000_0.mp4"
    (tmp_path / "out" / "more").touch()
    assert main([*command, "--split", "test", "--task", "object_counting"]) == 0
    assert "2 test samples for easyr1, 0." in capsys.readouterr().out
    for line in (tmp_path / "out" / "test.jsonl").read_text().splitlines():
        assert json.loads(line)["data_source"] == "videossr/object_counting"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["exported.txt", "media", "test.jsonl"]


def test_what_is_refused(dataset_folder, with_images, corpus_folder, tmp_path):
    (tmp_path / "mine").mkdir()
    empty = tmp_path / "empty"
    shutil.copytree(dataset_folder, empty)
    for split in ("train", "test"):
        pq.write_table(pq.read_table(empty / f"{split}.parquet").slice(0, 0), empty / f"{split}.parquet")
    moved = tmp_path / "moved"
    moved.mkdir()
    cases = [
        ((dataset_folder, tmp_path / "mine", "verl"), {}, "is there already and is no export"),
        ((dataset_folder, tmp_path / "out", "trl"), {}, "TRL reads no videos, and row 0 "),
        ((with_images, tmp_path / "out", "easyr1"), {}, "EasyR1 reads videos or images of a prompt, and row 0 "),
        ((tmp_path, tmp_path / "out", "verl"), {}, "does not exist"),
        ((empty, tmp_path / "out", "verl"), {}, "has no samples to export"),
        ((dataset_folder, tmp_path / "out", "verl"), {"tasks": ("arrow_of_time",)}, "no samples of arrow_of_time to"),
        ((dataset_folder, tmp_path / "out", "verl"), {"data_root": str(moved)}, "of train cannot be exported: "),
    ]
    for arguments, more, message in cases:
        with pytest.raises(BadInput, match=message):
            export(ExportSettings(*arguments, workers=1, **more))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))
    for wrong in ({"layout": "nemo"}, {"form": "gif"}, {"family": "llava"}, {"limit": 0}, {"workers": 0}):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            ExportSettings(**({"dataset": dataset_folder, "out": tmp_path / "out", "layout": "verl"} | wrong))
