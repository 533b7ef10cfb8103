"""The check says "the same" with the repairs, and names what is wrong as soon as one is taken out."""

import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import verl.workers.rollout.utils as rollout_utils

from data_preprocess.build import BuildSettings, build
from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.families import families
from videossr_verl.preflight.parity import (
    RolloutSide,
    Seen,
    TrainerSide,
    built_in_prompts,
    dataset_prompts,
    differences,
)
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.tokenizer import train_tokenizer
from videossr_verl.train import parity_at_start
from videossr_verl.train.dataset import PretextDataset

pytest.importorskip("vllm")

TASKS = ("anomaly_grounding", "masked_video_prediction", "object_counting", "temporal_jigsaw")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """family -> model folder; its configuration is all that is read, so the weights are removed."""
    tokenizer = train_tokenizer(["Clip: count <1.2 seconds> <3.4 seconds> order answer"] * 4, 512)
    folders = {}
    for family in ("qwen2_5_vl", "qwen3_vl"):
        folders[family] = tmp_path_factory.mktemp(family)
        save_checkpoint(build_model(family, tokenizer, 0), build_processor(family, tokenizer), folders[family])
        for weights in folders[family].glob("*.safetensors"):
            weights.unlink()
    return folders


@pytest.fixture(scope="module", params=["qwen2_5_vl", "qwen3_vl"])
def sides(request, models):
    trainer = TrainerSide(str(models[request.param]))
    return request.param, trainer, RolloutSide(str(models[request.param]), trainer.processor)


@pytest.fixture(scope="module")
def uneven_dataset(tmp_path_factory, make_video):
    """All four tasks on videos of variable frame rate: (parquet file, data root)."""
    root = tmp_path_factory.mktemp("uneven")
    for seed in range(4):
        # Bright noise on top of the numbers: a change must be visible.
        ticks = np.cumsum(np.random.default_rng(seed).integers(20, 120, 150)).tolist()
        make_video(root / f"{seed}.mkv", 150, size=(64, 96), ticks=ticks)
    out = tmp_path_factory.mktemp("dataset") / "out"
    build(BuildSettings((str(root),), str(out), "videossr_tiny", test_share=0.25))
    return out / "train.parquet", root


def see(sides, prompt):
    _, trainer, rollout = sides
    ours = trainer.see(prompt)
    return ours, rollout.see(prompt, ours.ids)


def shown_times(sides, seen):
    family, processor = families()[sides[0]], sides[1].processor
    return family.shown_times(seen.ids, seen.positions, seen.grids, processor)


def test_built_in_prompts_are_the_same(sides):
    for prompt in built_in_prompts(sides[1].processor):
        assert differences(prompt, *see(sides, prompt), sides[1].processor) == []


def test_the_models_clock_is_the_videos_own(sides, uneven_dataset):
    """Time read back from what the model is given, against the frames' presentation times (DESIGN.md, Time)."""
    file, root = uneven_dataset
    processor = sides[1].processor
    rows = {row["data_source"]: row for row in pq.read_table(file).to_pylist()[::-1]}
    prompts = list(dataset_prompts(str(file), str(root), processor))
    assert {prompt.name for prompt in prompts} == set(rows) == {f"videossr/{task}" for task in TASKS}
    for prompt in prompts:
        clocks = [video["clock"] for video in rows[prompt.name]["videos"]]
        for seen in see(sides, prompt):
            times = shown_times(sides, seen)
            assert len(times) == len(clocks)
            for shown, clock in zip(times, clocks, strict=True):
                pairs = list(zip(clock[::2], clock[1::2], strict=True))
                if sides[0] == "qwen2_5_vl":  # an axis of its own for each video
                    presented = [first - clock[0] for first, _ in pairs]
                else:
                    presented = [(first + last) / 2 for first, last in pairs]
                half_interval = (clock[-1] - clock[0]) / (len(clock) - 1) / 2
                assert np.abs(np.subtract(shown, presented)).max() <= half_interval + families()[
                    sides[0]
                ].time_resolution(processor)


def test_the_clock_goes_on_after_the_gap(sides, uneven_dataset):
    """Qwen3-VL is told it by its own text; Qwen2.5-VL's axis begins anew, so the question tells every frame's time."""
    file, root = uneven_dataset
    row = next(r for r in pq.read_table(file).to_pylist() if r["data_source"].endswith("masked_video_prediction"))
    prompts = list(dataset_prompts(str(file), str(root), sides[1].processor))
    prompt = next(p for p in prompts if p.name.endswith("masked_video_prediction"))
    before, after = (video["clock"] for video in row["videos"][:2])
    asked = row["prompt"][-1]["content"]
    times = [
        [float(t) for t in found.split(", ")] for found in re.findall(r"Frames at ([\d., ]+) seconds: <video>", asked)
    ]
    assert times == [[pytest.approx(t, abs=0.0051) for t in clock] for clock in (before, after)]
    assert re.search(rf"Gap from {times[0][-1]:g} to {times[1][0]:g} seconds", asked)
    if sides[0] == "qwen3_vl":
        for seen in see(sides, prompt):
            shown = shown_times(sides, seen)
            assert shown[0][-1] < before[-1] < after[0] < shown[1][0]
            assert shown[1] == [
                pytest.approx((a + b) / 2, abs=0.051) for a, b in zip(after[::2], after[1::2], strict=True)
            ]


def test_images_beside_videos_are_the_same(sides, uneven_dataset, tmp_path):
    _, root = uneven_dataset
    preset = tmp_path / "images.yaml"
    preset.write_text(
        "clip: {min_pixels: 784, max_pixels: 3136}\ntasks:\n  masked_video_prediction:\n    clip: {fps: 4}\n"
        "    difficulty: {num_key_frames: 6, num_masked: 2, num_distractors: 2, candidates: image}\n"
    )
    build(BuildSettings((str(root),), str(tmp_path / "out"), str(preset), count=2, test_count=0))
    (prompt,) = dataset_prompts(str(tmp_path / "out" / "train.parquet"), str(root), sides[1].processor)
    ours, theirs = see(sides, prompt)
    assert len(ours.image_grids) == len(theirs.image_grids) == 4
    assert differences(prompt, ours, theirs, sides[1].processor) == []
    other = Seen(theirs.ids, theirs.grids, theirs.positions, [[1, 2, 2]] * 4)
    assert "cuts the images into grids" in differences(prompt, ours, other, sides[1].processor)[0]


def test_a_row_that_cannot_be_shown_is_told(sides, uneven_dataset, tmp_path):
    file, root = uneven_dataset
    for video in root.iterdir():
        (tmp_path / video.name).write_bytes(b"no video any more")
    message = r"^the first row of videossr/\w+ in '.*train.parquet' cannot be shown: .*\[not_a_video\]$"
    with pytest.raises(BadInput, match=message):
        next(dataset_prompts(str(file), str(tmp_path), sides[1].processor))


@pytest.mark.parametrize("family", ["qwen2_5_vl"])
def test_without_the_times_in_vllm(family, models, monkeypatch):
    import vllm.model_executor.models.qwen2_5_vl as theirs

    model = theirs.Qwen2_5_VLForConditionalGeneration
    factories = model._processor_factory
    stock = type(factories)(
        info=theirs.Qwen2_5_VLProcessingInfo,
        processor=theirs.Qwen2_5_VLMultiModalProcessor,
        dummy_inputs=factories.dummy_inputs,
    )
    monkeypatch.setattr(model, "_processor_factory", stock)
    trainer = TrainerSide(str(models[family]))
    rollout = RolloutSide(str(models[family]), trainer.processor)
    prompt = next(built_in_prompts(trainer.processor))
    found = differences(prompt, *see((family, trainer, rollout), prompt), trainer.processor)
    assert len(found) == 2
    assert re.search(r"token \d+ is at time \d+ for the trainer and at \d+ for vLLM", found[0])
    assert "vLLM places its frame pairs at 0.00, 0.00, 0.00, 0.00 s, but they are shown at 0.00, 0.50" in found[1]


def test_without_the_times_in_the_trainer(models, monkeypatch):
    trainer = TrainerSide(str(models["qwen2_5_vl"]))
    rollout = RolloutSide(str(models["qwen2_5_vl"]), trainer.processor)
    monkeypatch.setattr(trainer.processor, "get_rope_index_kwargs", lambda inputs: {})
    prompt = next(built_in_prompts(trainer.processor))
    found = differences(prompt, *see(("", trainer, rollout), prompt), trainer.processor)
    assert any("the trainer places its frame pairs at 0.00, 1.00, 2.00, 3.00 s" in sentence for sentence in found)


def test_with_videos_expanded_twice(models, monkeypatch):
    trainer = TrainerSide(str(models["qwen3_vl"]))
    rollout = RolloutSide(str(models["qwen3_vl"]), trainer.processor)
    stock = rollout_utils.qwen2_5_vl_dedup_image_tokens.stock
    monkeypatch.setattr("videossr_verl.preflight.parity.qwen2_5_vl_dedup_image_tokens", stock)
    prompt = next(built_in_prompts(trainer.processor))
    found = differences(prompt, *see(("", trainer, rollout), prompt), trainer.processor)
    assert re.search(r"the trainer's prompt has \d+ tokens, vLLM's \d+, and from token \d+ on they differ", found[0])
    assert "<0.1 seco" in found[0]


def test_another_size_is_named(sides):
    prompt = next(built_in_prompts(sides[1].processor))
    ours, theirs = see(sides, prompt)
    other = Seen(theirs.ids, [[t, h + 2, w] for t, h, w in theirs.grids], theirs.positions)
    found = differences(prompt, ours, other, sides[1].processor)
    assert "min_pixels" in found[0]
    moved = Seen(theirs.ids, theirs.grids, theirs.positions + torch.tensor([[0], [1], [0]]))
    found = differences(prompt, ours, moved, sides[1].processor)
    assert "is at height" in found[0]


def test_the_command(models, dataset_folder, tmp_path, capsys):
    assert main(["parity", "--model", str(models["qwen3_vl"]), "--data", str(dataset_folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == [f"videossr/{task}: the same" for task in TASKS]
    unknown = tmp_path / "unknown"
    shutil.copytree(models["qwen3_vl"], unknown)
    config = json.loads((unknown / "config.json").read_text())
    (unknown / "config.json").write_text(json.dumps(config | {"architectures": ["NobodyKnowsThisModel"]}))
    assert main(["parity", "--model", str(unknown)]) == 3
    assert "vLLM cannot be set up here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "nowhere"], "'nowhere' is neither a model folder nor can it be downloaded"),
        (["--model", "MODEL", "--data", "nowhere.parquet", "--data-root", "."], "'nowhere.parquet' does not exist"),
        (["--model", "MODEL", "--data", "."], "does not tell the data root"),
    ],
)
def test_wrong_input(models, arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = [str(models["qwen3_vl"]) if a == "MODEL" else a for a in arguments]
    assert main(["parity", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("videossr: ")


def ask(monkeypatch, script, mode):
    """`check_before_training` with a `videossr parity` that is the given Python code."""
    run = parity_at_start.subprocess.run
    monkeypatch.setattr(
        parity_at_start.subprocess,
        "run",
        lambda command, **kwargs: run([command[0], "-c", script, *command[3:]], **kwargs),
    )
    parity_at_start.check_before_training(mode, "model", "rows.parquet", "root")


DIFFERENT = "print('a: different\\n  token 3 differs.'); raise SystemExit(1)"


def test_a_difference_stops_the_run(monkeypatch, caplog):
    with pytest.raises(BadInput, match=r"different prompts: a: different token 3 differs\. .*data\.parity=warn"):
        ask(monkeypatch, DIFFERENT, "stop")
    ask(monkeypatch, DIFFERENT, "warn")
    assert "token 3 differs" in caplog.text


def test_what_cannot_be_compared_stops_nothing(monkeypatch, caplog):
    ask(monkeypatch, "import sys; print('videossr: vLLM cannot', file=sys.stderr); raise SystemExit(3)", "stop")
    assert "were not compared: videossr: vLLM cannot" in caplog.text


def test_a_check_that_crashes_is_no_difference(monkeypatch, caplog):
    ask(monkeypatch, "raise RuntimeError('some other version')", "stop")
    assert "were not compared: RuntimeError: some other version" in caplog.text


def test_off_and_unknown(monkeypatch):
    ask(monkeypatch, "raise SystemExit(1)", "off")
    with pytest.raises(BadInput, match="none of stop, warn, off"):
        ask(monkeypatch, "", "maybe")


def test_a_dataset_checks_before_the_run(models, dataset_folder, monkeypatch, caplog):
    """The real check, in its own process, once for the training and the validation rows of a run."""
    from omegaconf import OmegaConf
    from verl.utils import hf_processor

    monkeypatch.setattr("videossr_verl.train.dataset._parity_checked", set())
    processor = hf_processor(str(models["qwen3_vl"]))
    root = json.loads((dataset_folder / "dataset.json").read_text())["data_root"]
    config = OmegaConf.create({"data_root": root, "max_prompt_length": 10**6, "parity": "stop"})
    for split in ("train", "test"):
        PretextDataset(str(dataset_folder / f"{split}.parquet"), processor.tokenizer, config, processor)
    assert caplog.text.count("rollout and trainer see the same prompts") == 1
